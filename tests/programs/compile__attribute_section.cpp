#include <cstdio>
__attribute__((constructor)) void early() { puts("early"); fflush(stdout); }
int main() { puts("main"); }
