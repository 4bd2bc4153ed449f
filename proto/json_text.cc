#include "proto/json_text.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace cohort {
namespace {

// Printable ASCII but the quote and the backslash.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain = {};
  for (size_t c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

uint8_t ByteAt(std::string_view text, size_t i) {
  return static_cast<uint8_t>(text[i]);
}

// Bytes of the well-formed character of more than one byte at `at`; 0 if there
// is none.
size_t CharacterAt(std::string_view text, size_t at) {
  const uint8_t first = ByteAt(text, at);
  const size_t size = first < 0xc2   ? 0
                      : first < 0xe0 ? 2
                      : first < 0xf0 ? 3
                      : first < 0xf5 ? 4
                                     : 0;
  if (size == 0 || text.size() - at < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((ByteAt(text, at + i) & 0xc0) != 0x80) return 0;
  }
  const uint8_t second = ByteAt(text, at + 1);
  const bool wrong =
      (first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
      (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
  return wrong ? 0 : size;
}

void AppendEscaped(char c, std::string* out) {
  switch (c) {
    case '"':
      *out += "\\\"";
      return;
    case '\\':
      *out += "\\\\";
      return;
    case '\n':
      *out += "\\n";
      return;
    case '\t':
      *out += "\\t";
      return;
    case '\r':
      *out += "\\r";
      return;
    default:
      *out += "\\u00";
      *out += "0123456789abcdef"[(c >> 4) & 0xf];
      *out += "0123456789abcdef"[c & 0xf];
  }
}

}  // namespace

bool IsUtf8(std::string_view bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = ByteAt(bytes, at) < 0x80 ? 1 : CharacterAt(bytes, at);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

bool AppendJsonText(std::string_view text, std::string* out) {
  bool well_formed = true;
  *out += '"';
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && kPlain[ByteAt(text, end)]) ++end;
    out->append(text, at, end - at);
    if (end == text.size()) break;
    at = end;
    if (ByteAt(text, at) < 0x80) {
      AppendEscaped(text[at++], out);
      continue;
    }
    const size_t size = CharacterAt(text, at);
    if (size == 0) {
      *out += "\xef\xbf\xbd";
      well_formed = false;
      ++at;
    } else {
      out->append(text, at, size);
      at += size;
    }
  }
  *out += '"';
  return well_formed;
}

}  // namespace cohort
