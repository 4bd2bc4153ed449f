#include <cstring>
int f(int n) { char x[1 << 16]; memset(x, n, sizeof x); return n == 0 ? x[5] : f(n - 1) + x[9]; }
int main() { return f(100000); }
