#include "model/tokenizer/byte_level.h"

#include "model/tokenizer/unicode.h"

namespace cohort {
namespace {

// Bytes that are printable as they are stand for themselves; the others are
// numbered from 256 on.
constexpr bool StandsForItself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) ||
         (byte >= 0xAE && byte <= 0xFF);
}

constexpr size_t kCharacters = 256 + 68;

struct Alphabet {
  std::array<char32_t, 256> character{};
  std::array<int16_t, kCharacters> byte{};  // -1: none.

  constexpr Alphabet() {
    for (int16_t& b : byte) b = -1;
    char32_t next = 256;
    for (int b = 0; b < 256; ++b) {
      const char32_t c = StandsForItself(b) ? static_cast<char32_t>(b) : next++;
      character[b] = c;
      byte[c] = static_cast<int16_t>(b);
    }
  }
};
constexpr Alphabet kAlphabet;

}  // namespace

char32_t ByteCharacter(uint8_t byte) { return kAlphabet.character[byte]; }

std::optional<uint8_t> CharacterByte(char32_t c) {
  if (c >= kCharacters || kAlphabet.byte[c] < 0) return std::nullopt;
  return static_cast<uint8_t>(kAlphabet.byte[c]);
}

void AppendByteCharacters(std::string_view bytes, std::string* text) {
  for (const char byte : bytes) {
    AppendUtf8(ByteCharacter(static_cast<uint8_t>(byte)), text);
  }
}

bool AppendCharacterBytes(std::string_view text, std::string* bytes) {
  const size_t before = bytes->size();
  size_t place = 0;
  while (place < text.size()) {
    const std::optional<uint8_t> byte =
        CharacterByte(NextCharacter(text, &place));
    if (!byte) {
      bytes->resize(before);
      return false;
    }
    bytes->push_back(static_cast<char>(*byte));
  }
  return true;
}

}  // namespace cohort
