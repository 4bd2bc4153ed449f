// Rows of logits -> the next tokens of their sequences, on some threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "model/kernels/team.h"
#include "rollout/sampler.h"
#include "rollout/sequence.h"

namespace cohort {

// A sequence, and the row of logits that its next token is drawn from.
struct Draw {
  Sequence* sequence;
  int64_t row;
};

class RowSampler {
 public:
  // The token that follows what each sequence has so far, with the random
  // number of its place: whose logits they are makes no difference to that.
  //   logits: [rows, V] float32
  std::vector<absl::StatusOr<SampledToken>> Sample(
      const at::Tensor& logits, const std::vector<Draw>& draws);

 private:
  std::unique_ptr<Team> team_;  // Of at::get_num_threads().
};

}  // namespace cohort
