#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
int main() {
  puts(prctl(PR_SET_SECCOMP, 0, 0) == 0 ? "ESCAPED" : "BLOCKED");
}
