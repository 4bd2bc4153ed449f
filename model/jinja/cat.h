// absl::StrCat that also takes std::string_view, which Debian's Abseil does not
// know for its own.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace cohort::jinja {

class Piece {
 public:
  Piece(const char* text) : text_(text) {}  // NOLINT: a conversion.
  template <typename Text>
  requires requires(const Text& text) {
    text.data();
    text.size();
  }
  Piece(const Text& text)  // NOLINT: a conversion.
      : text_(text.data(), text.size()) {}
  template <std::integral Number>
  Piece(Number number) : text_(std::to_string(number)) {}  // NOLINT
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

template <typename... Parts>
std::string Cat(const Parts&... parts) {
  std::string result;
  for (const Piece& piece : std::initializer_list<Piece>{Piece(parts)...}) {
    result += piece.text();
  }
  return result;
}

// Puts the parts behind *text.
template <typename... Parts>
void CatTo(std::string* text, const Parts&... parts) {
  *text += Cat(parts...);
}

}  // namespace cohort::jinja
