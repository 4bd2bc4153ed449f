#include <cstdio>
#include <cstring>
#include <unistd.h>
int main() {
  char params[120];
  memset(params, 0, sizeof params);
  puts(syscall(425, 4, params) >= 0 ? "ESCAPED" : "BLOCKED");
}
