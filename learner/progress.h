// The line in the terminal that says how far a run is.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/time/time.h"

namespace cohort {

// One optimizer step, for people. NaN leaves a number out.
struct StepProgress {
  std::string stage;
  int64_t step = 0;   // Of the stage, from 1.
  int64_t steps = 0;  // Of the stage.
  double loss = 0;
  double reward = 0;  // Mean of the step's trajectories.
  double completion_tokens = 0;
  double tokens_per_second = 0;
};

// "rl 12/40  30%  reward 0.412  length 22.2  19.6k tok/s  ETA 1m12s".
std::string FormatProgress(const StepProgress& step, absl::Duration time_left);

// Single-threaded.
class ProgressLine {
 public:
  // On a terminal one line is written over and over; elsewhere every step gets
  // a line of its own.
  ProgressLine(std::FILE* out, bool is_terminal)
      : out_(out), is_terminal_(is_terminal) {}

  // A stage begins, after `steps_done` steps of it that an earlier life of the
  // run made.
  void BeginStage(int64_t steps_done, absl::Time now);

  void Show(const StepProgress& step, absl::Time now);

  // Leaves the line standing; what is printed next begins below it.
  void End();

 private:
  std::FILE* const out_;
  const bool is_terminal_;
  bool open_ = false;  // The cursor stands behind an unfinished line.
  int64_t first_step_ = 0;
  absl::Time began_;
};

}  // namespace cohort
