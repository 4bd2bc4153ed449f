#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
int main() {
  puts(syscall(SYS_add_key, "user", "k", "v", 1, -2) >= 0 ? "ESCAPED" : "BLOCKED");
}
