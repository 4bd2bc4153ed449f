#include <cstdio>
#include <fcntl.h>
#include <initializer_list>
int main() {
  for (const char* p : {"/proc/kcore", "/dev/mem", "/dev/kmsg", "/proc/kallsyms", "/dev/kvm", "/dev/vda"})
    if (open(p, O_RDONLY) >= 0) { puts("ESCAPED"); return 0; }
  puts("BLOCKED");
}
