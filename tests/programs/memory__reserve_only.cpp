#include <cstdio>
#include <sys/mman.h>
int main() {
  void* p = mmap(0, 8ull << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  puts(p == MAP_FAILED ? "no" : "7");
}
