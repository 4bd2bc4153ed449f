#include <signal.h>
int main(){ raise(SIGBUS); }
