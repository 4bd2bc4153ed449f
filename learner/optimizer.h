// AdamW with master weights in float32, and the learning rate over a stage.
//
// Source: Loshchilov and Hutter, arXiv:1711.05101, algorithm 2, with the
// constants where torch.optim.AdamW (2.11) puts them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "configs/config.h"
#include "model/transformer.h"

namespace cohort {

// The rate of step `step` (from 0) of a stage of `steps`: linear warm-up, then
// constant, or decay from the peak towards final_rate * peak.
double LearningRateAt(const LearnerConfig& config, int64_t step, int64_t steps);

// What one step did.
struct OptimizerStep {
  double gradient_norm = 0;  // Before clipping.
  bool skipped = false;      // The gradient was not finite; nothing changed.
};

// Single-threaded. No result depends on the number of threads.
class AdamW {
 public:
  // `parameters` are leaf tensors, updated in place; they must outlive this.
  // Those of a half dtype are rounded copies of masters kept here.
  AdamW(std::vector<NamedTensor> parameters, const LearnerConfig& config);

  // Clips the gradients (.grad; undefined is zero) to the global norm of
  // config.gradient_clip, applies them and clears them.
  OptimizerStep Step(double learning_rate);

  // Everything a resumed run needs, under "<parameter>.first" and so on; views
  // of the state itself.
  std::vector<NamedTensor> State() const;
  // Steps taken, for the bias correction.
  int64_t steps() const { return steps_; }

  // Takes over a saved state.
  //   kInvalidArgument  a tensor is missing, unknown or wrongly shaped: its
  //   name
  absl::Status Restore(const std::vector<NamedTensor>& state, int64_t steps);

 private:
  struct Slot {
    std::string name;
    at::Tensor parameter;
    at::Tensor master;  // float32; the parameter itself where that is float32
    at::Tensor first;   // Moments, float32.
    at::Tensor second;
    double weight_decay = 0;
  };

  double GradientNorm() const;
  // The rule for one parameter. `scale` is the clipping factor.
  void Update(const Slot& slot, double learning_rate, double scale) const;

  const double beta1_;
  const double beta2_;
  const double epsilon_;
  const double gradient_clip_;
  std::vector<Slot> slots_;
  int64_t steps_ = 0;
};

}  // namespace cohort
