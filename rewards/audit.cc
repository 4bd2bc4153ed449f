#include "rewards/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "proto/log.h"
#include "proto/rows.h"
#include "rewards/plain_judge.h"

namespace cohort {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{64} << 20;
constexpr size_t kMaxCompletionBytes = 16384;  // The end holds the answer.

// FNV-1a, as a share of its range.
double ShareOf(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return static_cast<double>(hash >> 11) * 0x1p-53;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Auditor>> Auditor::Create(
    double share, const std::string& path) {
  if (path.empty()) {
    return std::unique_ptr<Auditor>(new Auditor(share, Descriptor(), 0));
  }
  Descriptor file(
      open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  struct stat facts = {};
  if (file.get() < 0 || fstat(file.get(), &facts) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  }
  return std::unique_ptr<Auditor>(
      new Auditor(share, std::move(file), facts.st_size));
}

Auditor::Auditor(double share, Descriptor file, int64_t written)
    : share_(share), file_(std::move(file)), written_(written) {}

std::optional<bool> Auditor::Audit(const Prompt& prompt,
                                   std::string_view completion,
                                   const Grade& grade) {
  if (prompt.verifier() != "math" || ShareOf(completion) >= share_) {
    return std::nullopt;
  }
  const std::optional<bool> judged = JudgePlainly(prompt.answer(), completion);
  if (!judged.has_value()) return std::nullopt;
  const bool agreed = *judged == (grade.verdict() == VERDICT_CORRECT);
  if (!agreed) Keep(prompt, completion, grade, *judged);
  return agreed;
}

void Auditor::Keep(const Prompt& prompt, std::string_view completion,
                   const Grade& grade, bool judged) {
  nlohmann::ordered_json row;
  row["prompt_id"] = prompt.id();
  row["answer"] = prompt.answer();
  row["completion"] = completion.substr(
      completion.size() - std::min(completion.size(), kMaxCompletionBytes));
  row["verdict"] = VerdictName(grade.verdict());
  row["extracted"] = grade.extracted();
  row["second_grader"] = judged ? "correct" : "wrong";
  const std::string line =
      row.dump(-1, ' ', false,
               nlohmann::ordered_json::error_handler_t::replace) +
      "\n";
  absl::MutexLock lock(&mu_);
  const auto size = static_cast<int64_t>(line.size());
  if (file_.get() < 0 || written_ + size > kMaxFileBytes) return;
  written_ += size;
  if (write(file_.get(), line.data(), line.size()) != size) {
    COHORT_LOG(WARNING) << "a disagreement could not be kept prompt="
                        << prompt.id();
  }
}

}  // namespace cohort
