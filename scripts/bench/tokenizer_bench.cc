// Encodes files as documents of 4000 bytes or a little more and prints
// {"<file>": bytes per CPU-second}; the first of `repeats` rounds has no word
// in any cache and counts too.
//
//   tokenizer_bench FOLDER REPEATS FILE...
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer.h"
#include "proto/check.h"

namespace {

std::vector<std::string> Documents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::vector<std::string> documents;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(begin + 4000, text.size());
    while (end < text.size() && (text[end] & 0xC0) == 0x80) ++end;
    documents.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return documents;
}

}  // namespace

int main(int argc, char** argv) {
  COHORT_CHECK(argc > 3);
  const auto tokenizer = cohort::Tokenizer::Load(argv[1]);
  COHORT_CHECK(tokenizer.ok());
  const int repeats = std::atoi(argv[2]);
  std::cout << "{";
  for (int i = 3; i < argc; ++i) {
    const std::vector<std::string> documents = Documents(argv[i]);
    size_t bytes = 0;
    const std::clock_t before = std::clock();
    for (int r = 0; r < repeats; ++r) {
      for (const std::string& document : documents) {
        COHORT_CHECK((*tokenizer)->Encode(document).ok());
        bytes += document.size();
      }
    }
    const double seconds =
        static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
    std::cout << (i > 3 ? ", " : "") << '"' << argv[i]
              << "\": " << static_cast<double>(bytes) / seconds;
  }
  std::cout << "}\n";
}
