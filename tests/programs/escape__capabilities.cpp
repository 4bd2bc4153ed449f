#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
int main() {
  int n = 0;
  for (int c = 0; c < 41; ++c) if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1) ++n;
  puts(n ? "ESCAPED" : "BLOCKED");
}
