// The "added_tokens" of tokenizer.json: found in the text as wholes, before
// the model sees the rest.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/tokenizer/json_part.h"
#include "model/tokenizer/normalizer.h"
#include "model/tokenizer/vocabulary.h"

namespace cohort {

struct AddedToken {
  std::string text;
  bool single_word = false;  // Not beside word characters.
  bool lstrip = false;       // Takes the white space on its left,
  bool rstrip = false;       // and on its right.
  bool normalized = false;   // Found in the normalized text, as normalized.
  bool special = false;      // Left out of a text where that is asked for.

  bool operator==(const AddedToken&) const = default;
};

// Some added tokens in a text: the leftmost first, of those the longest.
class AddedTokenFinder {
 public:
  // `id` is found where `text` stands. False for an empty text and for one that
  // was added before.
  bool Add(std::string_view text, int32_t id, const AddedToken* token);

  // Calls `plain` with what lies between the tokens and `found` with their ids,
  // from left to right; the first error ends it.
  using Plain = std::function<absl::Status(size_t begin, size_t end)>;
  using Found = std::function<void(int32_t id)>;
  absl::Status Split(std::string_view text, const Plain& plain,
                     const Found& found) const;

  bool empty() const { return nodes_.size() == 1; }

 private:
  struct Node {
    std::map<char, int32_t> children;
    int32_t id = -1;
    const AddedToken* token = nullptr;
  };

  // The next place from `from` on where a token may begin.
  size_t NextCandidate(std::string_view text, size_t from) const;

  // The longest token at `place`; `*end` is where it ends. Null: none.
  const Node* LongestAt(std::string_view text, size_t place, size_t* end) const;

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::array<bool, 256> begins_{};  // First bytes of tokens.
  std::optional<char> only_begin_;  // Where they all have the same.
};

// Thread-safe.
class AddedTokens {
 public:
  // A token whose text the model knows has the model's id, the others follow
  // behind all ids in the order of the file, whatever ids the file gives: as in
  // the tokenizers library, which warns. `normalizer` may be null.
  //   kInvalidArgument  one id for two texts, in the file or in the end; a text
  //                     that normalizing empties; two that it makes the same
  static absl::StatusOr<AddedTokens> Parse(const JsonPart& file,
                                           const Vocabulary& vocabulary,
                                           const Normalizer* normalizer);

  const AddedTokenFinder& in_text() const { return in_text_; }
  const AddedTokenFinder& in_normalized() const { return in_normalized_; }

  // What `id` is decoded to: its normalized text, as in the tokenizers library.
  std::optional<std::string_view> TextOf(int64_t id) const;

  // Whether a decoded text is a special token's.
  bool IsSpecial(std::string_view text) const {
    return special_texts_.contains(std::string(text));
  }

  // One more than the largest id; 0 without tokens.
  int64_t end_id() const;

  // Ids and tokens in the order of the ids.
  std::string Fingerprint() const;

 private:
  struct Entry {
    AddedToken token;
    std::string decoded;
  };

  absl::Status Assign(const JsonPart& part, const AddedToken& token,
                      const Vocabulary& vocabulary);
  absl::Status Normalize(const JsonPart& part, const Normalizer* normalizer);

  int32_t next_id_ = 0;
  std::map<int32_t, Entry> by_id_;  // Entries never move.
  std::unordered_map<std::string, int32_t> ids_;
  std::unordered_set<std::string> special_texts_;
  AddedTokenFinder in_text_;
  AddedTokenFinder in_normalized_;
};

}  // namespace cohort
