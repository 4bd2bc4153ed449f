#include "learner/progress.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cohort {
namespace {

std::string Rate(double tokens_per_second) {
  return tokens_per_second < 1000
             ? absl::StrFormat("%.0f tok/s", tokens_per_second)
             : absl::StrFormat("%.1fk tok/s", tokens_per_second / 1000);
}

}  // namespace

std::string FormatProgress(const StepProgress& step, absl::Duration time_left) {
  const double share = step.steps == 0
                           ? 100.0
                           : 100.0 * static_cast<double>(step.step) /
                                 static_cast<double>(step.steps);
  std::string line = absl::StrFormat("%s %d/%d %3.0f%%", step.stage, step.step,
                                     step.steps, share);
  if (!std::isnan(step.loss))
    absl::StrAppendFormat(&line, "  loss %.4f", step.loss);
  if (!std::isnan(step.reward)) {
    absl::StrAppendFormat(&line, "  reward %.3f", step.reward);
  }
  if (!std::isnan(step.completion_tokens)) {
    absl::StrAppendFormat(&line, "  length %.1f", step.completion_tokens);
  }
  if (!std::isnan(step.tokens_per_second)) {
    absl::StrAppend(&line, "  ", Rate(step.tokens_per_second));
  }
  absl::StrAppend(
      &line, "  ETA ",
      absl::FormatDuration(absl::Floor(time_left, absl::Seconds(1))));
  return line;
}

void ProgressLine::BeginStage(int64_t steps_done, absl::Time now) {
  End();
  first_step_ = steps_done;
  began_ = now;
}

void ProgressLine::Show(const StepProgress& step, absl::Time now) {
  const int64_t done = step.step - first_step_;
  const absl::Duration time_left =
      done <= 0 ? absl::ZeroDuration()
                : (now - began_) / done * (step.steps - step.step);
  const std::string line = FormatProgress(step, time_left);
  const std::string text =
      is_terminal_ ? absl::StrCat("\r\x1b[K", line) : absl::StrCat(line, "\n");
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
  open_ = is_terminal_;
}

void ProgressLine::End() {
  if (!open_) return;
  std::fputc('\n', out_);
  std::fflush(out_);
  open_ = false;
}

}  // namespace cohort
