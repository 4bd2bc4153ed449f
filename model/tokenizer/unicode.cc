#include "model/tokenizer/unicode.h"

#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "model/tokenizer/unicode_additions.h"
#include "model/utf8.h"

namespace cohort {
namespace {

UChar32 ForIcu(char32_t c) { return static_cast<UChar32>(c); }

// The range of additions that `c` is in, or null.
const UnicodeAddition* AdditionOf(char32_t c) {
  const auto it = std::upper_bound(
      kUnicodeAdditions.begin(), kUnicodeAdditions.end(), c,
      [](char32_t value, const UnicodeAddition& a) { return value < a.first; });
  if (it == kUnicodeAdditions.begin()) return nullptr;
  const UnicodeAddition& candidate = *std::prev(it);
  return c <= candidate.last ? &candidate : nullptr;
}

// One bit per character of the basic plane, so that plain text is checked at
// the speed of reading it.
struct AdditionBits {
  std::array<uint64_t, 0x10000 / 64> bits{};

  AdditionBits() {
    for (const UnicodeAddition& a : kUnicodeAdditions) {
      for (char32_t c = a.first; c <= a.last && c < 0x10000; ++c) {
        bits[c / 64] |= uint64_t{1} << (c % 64);
      }
    }
  }
};

bool HasEightAsciiBytes(std::string_view text, size_t place) {
  if (place + 8 > text.size()) return false;
  uint64_t bytes;
  std::copy_n(text.data() + place, 8, reinterpret_cast<char*>(&bytes));
  return (bytes & 0x8080808080808080u) == 0;
}

// Small letters of capitals that Unicode 16 and 17 added: `first` to `last`
// have theirs `distance` later.
struct CasePairs {
  char32_t first;
  char32_t last;
  int32_t distance;
};
constexpr CasePairs kNewerCasePairs[] = {
    {0x1C89, 0x1C89, 1},      {0xA7CB, 0xA7CB, 0x264 - 0xA7CB},
    {0xA7CC, 0xA7CC, 1},      {0xA7CE, 0xA7CE, 1},
    {0xA7D2, 0xA7D2, 1},      {0xA7D4, 0xA7D4, 1},
    {0xA7DA, 0xA7DA, 1},      {0xA7DC, 0xA7DC, 0x19B - 0xA7DC},
    {0x10D50, 0x10D65, 0x20}, {0x16EA0, 0x16EB8, 0x1B},
};

char32_t LowercaseOf(char32_t c) {
  for (const CasePairs& pairs : kNewerCasePairs) {
    if (c >= pairs.first && c <= pairs.last) {
      return static_cast<char32_t>(static_cast<int32_t>(c) + pairs.distance);
    }
  }
  return static_cast<char32_t>(u_tolower(ForIcu(c)));
}

}  // namespace

char32_t CharacterBefore(std::string_view text, size_t place) {
  --place;
  while ((static_cast<uint8_t>(text[place]) & 0xC0) == 0x80) --place;
  return NextCharacter(text, &place);
}

void AppendUtf8(char32_t c, std::string* text) {
  const auto append = [text](char32_t byte) {
    text->push_back(static_cast<char>(byte));
  };
  const auto tail = [&](int shift) { append(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) {
    append(c);
  } else if (c < 0x800) {
    append(0xC0 | c >> 6);
    tail(0);
  } else if (c < 0x10000) {
    append(0xE0 | c >> 12);
    tail(6);
    tail(0);
  } else {
    append(0xF0 | c >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

bool IsUnicodeAddition(char32_t c) {
  static const AdditionBits kBits;
  if (c < 0x10000) return kBits.bits[c / 64] >> (c % 64) & 1;
  return AdditionOf(c) != nullptr;
}

TextCheck CheckText(std::string_view text) {
  TextCheck check;
  size_t place = 0;
  while (place < text.size()) {
    if (HasEightAsciiBytes(text, place)) {
      place += 8;
      continue;
    }
    if (static_cast<uint8_t>(text[place]) < 0x80) {
      ++place;
      continue;
    }
    if (Utf8Length(text.substr(place)) == 0) break;
    if (IsUnicodeAddition(NextCharacter(text, &place))) {
      check.has_additions = true;
    }
  }
  check.valid_bytes = place;
  return check;
}

bool IsWhitespace(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return u_hasBinaryProperty(ForIcu(c), UCHAR_WHITE_SPACE);
}

bool IsWordCharacter(char32_t c) {
  if (const UnicodeAddition* const addition = AdditionOf(c)) {
    const std::string_view category = addition->category;
    return category[0] == 'L' || category[0] == 'M' || category == "Nd" ||
           category == "Nl" || category == "Pc";
  }
  constexpr uint32_t kCategories = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  return u_hasBinaryProperty(ForIcu(c), UCHAR_ALPHABETIC) ||
         (U_GET_GC_MASK(ForIcu(c)) & kCategories) != 0 ||
         u_hasBinaryProperty(ForIcu(c), UCHAR_JOIN_CONTROL);
}

bool IsNumeric(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  if (const UnicodeAddition* const addition = AdditionOf(c)) {
    return addition->category[0] == 'N';
  }
  return (U_GET_GC_MASK(ForIcu(c)) & U_GC_N_MASK) != 0 ||
         (c >= 0x11DE0 && c <= 0x11DE9) || (c >= 0x16FF4 && c <= 0x16FF6);
}

bool IsPunctuation(char32_t c) {
  if (c < 0x80)
    return u_ispunct(ForIcu(c)) ||
           std::string_view("$+<=>^`|~").find(static_cast<char>(c)) !=
               std::string_view::npos;
  // Punctuation in Unicode 8 and something else today.
  if (c == 0x166D || c == 0x111C9) return true;
  if ((U_GET_GC_MASK(ForIcu(c)) & U_GC_P_MASK) == 0) return false;
  UVersionInfo age;
  u_charAge(ForIcu(c), age);
  return age[0] <= 8;
}

std::string Lowercase(std::string_view text) {
  std::string lower;
  lower.reserve(text.size());
  size_t place = 0;
  while (place < text.size()) {
    const char32_t c = NextCharacter(text, &place);
    AppendUtf8(LowercaseOf(c), &lower);
    // The one capital with a lower case of two characters.
    if (c == 0x130) AppendUtf8(0x307, &lower);
  }
  return lower;
}

}  // namespace cohort
