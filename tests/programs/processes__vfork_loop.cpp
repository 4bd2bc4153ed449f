#include <unistd.h>
#include <sys/wait.h>
#include <cstdio>
int main() {
  for (int i = 0; i < 300; ++i) {
    pid_t p = vfork();
    if (p == 0) _exit(0);
    if (p > 0) waitpid(p, 0, 0);
  }
  puts("7");
}
