// A grading worker whose grader does to itself what the completion says. For
// the tests of what survives that.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "rewards/grade_worker.h"

namespace {

class DyingGrader : public cohort::Grader {
 public:
  absl::Status CheckPrompt(const cohort::Prompt& prompt) const override {
    if (prompt.answer() == "abort") std::abort();
    if (prompt.answer().empty()) return absl::InvalidArgumentError("no answer");
    return absl::OkStatus();
  }
  absl::StatusOr<cohort::Grade> GradeOne(
      const cohort::Prompt& prompt, const cohort::Completion& completion,
      absl::Time /*deadline*/) const override {
    if (completion.text == "abort") std::abort();
    if (completion.text == "memory") {
      std::vector<std::string> eaten;
      while (true) eaten.emplace_back(1 << 20, 'x');
    }
    while (completion.text == "loop") {
      asm volatile("");
    }
    if (completion.text == "nap") {
      std::this_thread::sleep_for(std::chrono::milliseconds(60));
    }
    if (completion.text == "count") {
      return cohort::WrongGrade("", std::to_string(counted_++));
    }
    if (completion.text != prompt.answer()) {
      return cohort::WrongGrade(completion.text, "");
    }
    return cohort::CorrectGrade(completion.text);
  }

 private:
  mutable std::atomic<int> counted_ = 0;
};

}  // namespace

int main() {
  cohort::GraderMap graders;
  graders["dying"] = std::make_unique<DyingGrader>();
  return cohort::RunGradeWorker(
      graders, {.memory_bytes = 64 << 20, .cpu = absl::Milliseconds(300)},
      /*socket=*/0);
}
