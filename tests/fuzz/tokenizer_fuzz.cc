// Any bytes as a tokenizer.json and, behind the first zero byte, a text: an
// error or a tokenizer that gives tokens, never a crash.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/decode_stream.h"
#include "model/tokenizer.h"
#include "model/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  const auto tokenizer =
      cohort::Tokenizer::Parse(input.substr(0, end), "", "tokenizer.json");
  if (!tokenizer.ok()) return 0;
  const std::string text =
      end == std::string::npos ? input : input.substr(end + 1);
  (void)(*tokenizer)->Encode(text, false);
  const auto ids = (*tokenizer)->Encode(cohort::ToValidUtf8(text), true);
  if (!ids.ok()) return 0;
  // What was encoded can be decoded, at once and as it grows.
  (void)(*tokenizer)->Decode(*ids, true);
  cohort::DecodeStream stream(tokenizer->get(), false);
  for (const int32_t id : *ids) {
    if (!stream.Step(id).ok()) break;
  }
  return 0;
}
