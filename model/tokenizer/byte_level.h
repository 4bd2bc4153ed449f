// The alphabet of byte-level tokenizers: a printable character for each byte.
//
// Source: GPT-2's encoder.py, bytes_to_unicode.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cohort {

// How GPT-2 cuts a text into words.
inline constexpr std::string_view kGpt2Words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// The character that stands for a byte.
char32_t ByteCharacter(uint8_t byte);

// The byte that a character stands for.
std::optional<uint8_t> CharacterByte(char32_t c);

// Appends the characters for `bytes` as UTF-8.
void AppendByteCharacters(std::string_view bytes, std::string* text);

// Appends the bytes that the characters of `text` (well-formed UTF-8) stand
// for. False, with nothing appended, when one stands for none.
bool AppendCharacterBytes(std::string_view text, std::string* bytes);

}  // namespace cohort
