#include <iostream>
#include <map>
#include <string>
int main() { std::map<std::string, int> m; std::string w; while (std::cin >> w) ++m[w]; for (auto& [k, v] : m) std::cout << k << " " << v << "\n"; }
