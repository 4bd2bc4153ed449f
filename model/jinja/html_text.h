// Text for and out of web pages, and text in lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cohort::jinja {

// Percent signs for what a URL cannot hold; in a query "/" too, and "+" for a
// space.
std::string QuoteUrl(std::string_view text, bool in_query);

// Without tags and comments, spaces collapsed, entities resolved.
std::string StripTags(std::string_view text);

struct WrapStyle {
  int64_t width = 79;
  bool break_long_words = true;
  bool break_on_hyphens = true;
};

// One line's words in lines of at most `width` characters, as Python's textwrap
// breaks them.
std::vector<std::string> WrapWords(std::string_view text,
                                   const WrapStyle& style);

}  // namespace cohort::jinja
