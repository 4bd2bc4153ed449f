// The "pre_tokenizer" of tokenizer.json: cuts the text into the pieces that
// the model sees one by one.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/tokenizer/json_part.h"
#include "model/tokenizer/pieces.h"

namespace cohort {

// Thread-safe. A list of steps, each applied to all pieces.
class PreTokenizer {
 public:
  class Step {
   public:
    virtual ~Step() = default;
    virtual absl::Status Apply(Pieces* pieces) const = 0;
  };

  // Leaves the text in one piece.
  PreTokenizer() = default;

  // kUnimplemented naming a type that is not built.
  static absl::StatusOr<PreTokenizer> Parse(const JsonPart& component);

  // Whether the last step writes the pieces in byte-level characters.
  bool EndsInByteCharacters() const { return ends_in_byte_characters_; }

  // Takes that step off: pieces are then the bytes that it would write.
  void LeaveBytes();

  absl::Status Apply(Pieces* pieces) const;

 private:
  std::vector<std::unique_ptr<Step>> steps_;
  bool ends_in_byte_characters_ = false;
};

}  // namespace cohort
