// One completion -> one grade.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "proto/types.pb.h"

namespace cohort {

// What was sampled for a prompt. `text` may hold any bytes.
struct Completion {
  std::string_view text;  // Decoded, the end token left out.
  bool finished = true;   // False: the length limit cut it off.
};

enum class GradingPlace {
  kServer,     // In the server itself: little work, all of it our own code.
  kWorker,     // In a grading worker: a library might abort or eat memory.
  kElsewhere,  // In the sandbox or at a server of the user's; we only wait.
};

// Thread-safe. A wrong, endless or malformed completion is a grade, never an
// error.
class Grader {
 public:
  virtual ~Grader() = default;

  // Whether `prompt` has what this grader needs. kInvalidArgument, without the
  // prompt's id, which the caller knows.
  virtual absl::Status CheckPrompt(const Prompt& prompt) const = 0;

  // Judges `completion`. Sets verdict, score, extracted and reason; the format
  // score is the service's business. Requires that CheckPrompt(prompt) is OK.
  //   kDeadlineExceeded  `deadline` passed
  virtual absl::StatusOr<Grade> GradeOne(const Prompt& prompt,
                                         const Completion& completion,
                                         absl::Time deadline) const = 0;

  // Judges all completions of a prompt, in order; a grader that works elsewhere
  // may do so side by side. By default GradeOne for one after the other.
  virtual absl::StatusOr<std::vector<Grade>> GradeMany(
      const Prompt& prompt, absl::Span<const Completion> completions,
      absl::Time deadline) const;

  // Where the service lets it work.
  virtual GradingPlace place() const { return GradingPlace::kServer; }
};

// Grades with the verdict's score. `extracted` and `reason` are cut to
// kMaxShownBytes and made valid UTF-8.
inline constexpr size_t kMaxShownBytes = 1024;
std::string ShownBytes(std::string_view text);
Grade CorrectGrade(std::string_view extracted);
Grade WrongGrade(std::string_view extracted, std::string_view reason);
Grade FormatErrorGrade(std::string_view reason);

// `text` without whitespace (as in C's isspace) at both ends.
std::string_view Trimmed(std::string_view text);

}  // namespace cohort
