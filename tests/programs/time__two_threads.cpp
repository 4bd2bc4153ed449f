#include <thread>
int main() { auto f = [] { for (volatile long i = 0;; ++i) {} }; std::thread t(f); f(); }
