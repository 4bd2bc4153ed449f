#include "rewards/judge_host.h"

#include "absl/strings/str_cat.h"
#include "proto/log.h"
#include "proto/status.h"
#include "rewards/language_table.h"

namespace cohort {

struct JudgeHost::Running {
  std::unique_ptr<Sandbox> sandbox;
  std::unique_ptr<Judge> judge;
};

absl::StatusOr<std::shared_ptr<Judge>> JudgeHost::Get() {
  absl::MutexLock lock(&mu_);
  if (running_ == nullptr || !running_->sandbox->Alive()) {
    auto running = std::make_shared<Running>();
    COHORT_ASSIGN_OR_RETURN(running->sandbox,
                            Sandbox::Start({.languages = BuiltInLanguages(),
                                            .slots = options_.slots,
                                            .launcher = options_.launcher}));
    const std::string weakness = running->sandbox->Weakness();
    if (!weakness.empty() && !options_.allow_weak) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the sandbox is weak on this machine: ", weakness,
          "; rewards.allow_weak or --allow-weak takes it all the same"));
    }
    if (!weakness.empty()) {
      COHORT_LOG(WARNING) << "code runs in a weak sandbox missing=" << weakness;
    }
    running->judge = std::make_unique<Judge>(running->sandbox.get());
    running_ = std::move(running);
  }
  return std::shared_ptr<Judge>(running_, running_->judge.get());
}

SandboxFigures JudgeHost::Figures() const {
  absl::MutexLock lock(&mu_);
  return running_ == nullptr ? SandboxFigures() : running_->sandbox->Figures();
}

bool JudgeHost::Weak() const {
  absl::MutexLock lock(&mu_);
  return running_ != nullptr && !running_->sandbox->Weakness().empty();
}

}  // namespace cohort
