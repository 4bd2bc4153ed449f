#include "model/utf8.h"

#include <cstdint>

namespace cohort {
namespace {

// What must follow a lead byte: `more` bytes, the first of them in [low, high],
// the others in [80, BF].
struct Lead {
  size_t more;
  uint8_t low;
  uint8_t high;
};

// `more` is 0 for ASCII; `low` > `high` for a byte that begins nothing.
Lead LeadOf(uint8_t byte) {
  if (byte < 0x80) return {0, 0, 0};
  if (byte < 0xC2 || byte > 0xF4) return {0, 1, 0};
  if (byte < 0xE0) return {1, 0x80, 0xBF};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte < 0xF0) return {2, 0x80, 0xBF};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  return {3, 0x80, 0xBF};
}

// Bytes of `text` that agree with its first byte's pattern, at least one;
// `whole` is whether they are a complete character.
size_t WellFormedPrefix(std::string_view text, bool* whole) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const Lead lead = LeadOf(byte(0));
  *whole = lead.low <= lead.high;
  for (size_t i = 1; i <= lead.more; ++i) {
    const uint8_t low = i == 1 ? lead.low : 0x80;
    const uint8_t high = i == 1 ? lead.high : 0xBF;
    if (i >= text.size() || byte(i) < low || byte(i) > high) {
      *whole = false;
      return i;
    }
  }
  return lead.more + 1;
}

}  // namespace

size_t Utf8Length(std::string_view text) {
  if (text.empty()) return 0;
  bool whole = false;
  const size_t length = WellFormedPrefix(text, &whole);
  return whole ? length : 0;
}

std::string ToValidUtf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    bool whole = false;
    const size_t length = WellFormedPrefix(text, &whole);
    valid.append(whole ? text.substr(0, length) : kReplacement);
    text.remove_prefix(length);
  }
  return valid;
}

}  // namespace cohort
