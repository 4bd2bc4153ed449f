constexpr int f(long n) { int s = 0; for (long i = 0; i < n; ++i) s += i % 7; return s; }
constexpr int x = f(1L << 40);
int main() { return x; }
