"""Writes model/tokenizer/unicode_additions.h: the characters that Unicode 15
to 16 assigned, which Oniguruma 6.9.10 (in tokenizers 0.23.3) knows and PCRE2
10.42 (Unicode 14) does not.

    .venv/bin/python3 scripts/make_unicode_additions.py \\
        >model/tokenizer/unicode_additions.h

Run under a Python whose unicodedata is that of Unicode 14, Debian 12's.
"""

import sys
import unicodedata

from tokenizers import Regex, pre_tokenizers

HEAD = """\
// What Unicode 15.0 to 16.0 assigned. Written by
// scripts/make_unicode_additions.py from the tokenizers library 0.23.3.
#pragma once

#include <array>

namespace cohort {

// Characters `first` to `last`, of one general category.
struct UnicodeAddition {
  char32_t first;
  char32_t last;
  char category[3];
};

// Ascending.
inline constexpr auto kUnicodeAdditions = std::to_array<UnicodeAddition>({"""
CATEGORIES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk "
              "So Zs Zl Zp Cf").split()


def members(category):
    """All characters of a category, as the library's pattern engine says."""
    split = pre_tokenizers.Split(
        Regex(r"\p{%s}" % category), "removed", invert=True)
    found = set()
    for first in range(0, 0x110000, 4096):
        text = "".join(chr(c) for c in range(first, first + 4096)
                       if not 0xD800 <= c < 0xE000)
        for word, _ in split.pre_tokenize_str(text):
            found.update(map(ord, word))
    return found


def main():
    if unicodedata.unidata_version != "14.0.0":
        sys.exit("needs a Python with Unicode 14")
    new = {}
    for category in CATEGORIES:
        for c in members(category):
            if unicodedata.category(chr(c)) == "Cn":
                new[c] = category
    ranges = []
    for c in sorted(new):
        if ranges and ranges[-1][1:] == [c - 1, new[c]]:
            ranges[-1][1] = c
        else:
            ranges.append([c, c, new[c]])
    print(HEAD)
    for first, last, category in ranges:
        print(f'    {{0x{first:X}, 0x{last:X}, "{category}"}},')
    print("});\n\n}  // namespace cohort")


main()
