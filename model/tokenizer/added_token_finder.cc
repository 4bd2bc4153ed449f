#include <algorithm>

#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/unicode.h"
#include "proto/status.h"

namespace cohort {
namespace {

// White space directly before `end`, but not before `from`.
size_t SpaceBefore(std::string_view text, size_t from, size_t end) {
  while (end > from) {
    size_t begin = end - 1;
    while (begin > 0 && (static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80) {
      --begin;
    }
    size_t place = begin;
    if (!IsWhitespace(NextCharacter(text, &place))) break;
    end = begin;
  }
  return std::max(end, from);
}

size_t SpaceBehind(std::string_view text, size_t begin) {
  while (begin < text.size()) {
    size_t place = begin;
    if (!IsWhitespace(NextCharacter(text, &place))) break;
    begin = place;
  }
  return begin;
}

bool StandsAlone(std::string_view text, size_t begin, size_t end) {
  if (begin > 0 && IsWordCharacter(CharacterBefore(text, begin))) return false;
  return end == text.size() || !IsWordCharacter(NextCharacter(text, &end));
}

}  // namespace

bool AddedTokenFinder::Add(std::string_view text, int32_t id,
                           const AddedToken* token) {
  if (text.empty()) return false;
  only_begin_ = empty() || only_begin_ == text[0] ? std::optional<char>(text[0])
                                                  : std::nullopt;
  begins_[static_cast<uint8_t>(text[0])] = true;
  size_t node = 0;
  for (const char byte : text) {
    const auto [it, fresh] = nodes_[node].children.emplace(
        byte, static_cast<int32_t>(nodes_.size()));
    node = static_cast<size_t>(it->second);
    if (fresh) nodes_.emplace_back();
  }
  if (nodes_[node].token != nullptr) return false;
  nodes_[node].id = id;
  nodes_[node].token = token;
  return true;
}

size_t AddedTokenFinder::NextCandidate(std::string_view text,
                                       size_t from) const {
  if (only_begin_) return std::min(text.find(*only_begin_, from), text.size());
  while (from < text.size() && !begins_[static_cast<uint8_t>(text[from])]) {
    ++from;
  }
  return from;
}

const AddedTokenFinder::Node* AddedTokenFinder::LongestAt(std::string_view text,
                                                          size_t place,
                                                          size_t* end) const {
  const Node* longest = nullptr;
  const Node* node = &nodes_[0];
  while (place < text.size()) {
    const auto it = node->children.find(text[place]);
    if (it == node->children.end()) break;
    node = &nodes_[it->second];
    ++place;
    if (node->token == nullptr) continue;
    longest = node;
    *end = place;
  }
  return longest;
}

absl::Status AddedTokenFinder::Split(std::string_view text, const Plain& plain,
                                     const Found& found) const {
  size_t done = 0;
  size_t place = empty() ? text.size() : NextCandidate(text, 0);
  while (place < text.size()) {
    size_t end = place;
    const Node* const node = LongestAt(text, place, &end);
    if (node == nullptr) {
      place = NextCandidate(text, place + 1);
      continue;
    }
    const size_t match = place;
    place = NextCandidate(text, end);
    const AddedToken& token = *node->token;
    if (token.single_word && !StandsAlone(text, match, end)) continue;
    const size_t begin =
        token.lstrip ? SpaceBefore(text, std::min(done, match), match) : match;
    if (token.rstrip) end = SpaceBehind(text, end);
    if (done < begin) COHORT_RETURN_IF_ERROR(plain(done, begin));
    found(node->id);
    done = end;
  }
  if (done < text.size()) return plain(done, text.size());
  return absl::OkStatus();
}

}  // namespace cohort
