#include <cstdlib>
int main(){ char* volatile p = (char*)malloc(8); free(p); free(p); }
