// An engine without a model: every completion is what a script says.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/status.h"
#include "rollout/engine.h"
#include "rollout/sequence.h"
#include "rollout/weight_receiver.h"

namespace cohort {

// Gives the completion's text; one token per byte.
using CompletionScript =
    std::function<std::string(const Lease& lease, int member)>;

// Finishes one prompt per step, in the order they were added. Its policy
// version is that of the weights it took from `weights`.
class ScriptedEngine : public Engine {
 public:
  ScriptedEngine(WeightReceiver* weights, CompletionScript script)
      : weights_(weights), script_(std::move(script)) {}

  absl::Status Add(const Lease& lease) override {
    pending_ += lease.sampling().group_size();
    leases_.push_back(lease);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<Group>> Step() override {
    ++stats_.steps;
    if (leases_.empty()) return std::vector<Group>();
    const Lease lease = std::move(leases_.front());
    leases_.pop_front();
    pending_ -= lease.sampling().group_size();
    Group group;
    group.set_id(absl::StrCat(lease.occurrence().stage(), "/",
                              lease.occurrence().prompt_id(), "/",
                              lease.occurrence().occurrence()));
    *group.mutable_prompt() = lease.prompt();
    *group.mutable_occurrence() = lease.occurrence();
    group.set_eval(lease.eval());
    for (int member = 0; member < lease.sampling().group_size(); ++member) {
      Trajectory* const trajectory = group.add_trajectories();
      trajectory->set_text(script_(lease, member));
      trajectory->set_finish_reason(FINISH_REASON_STOP);
      for (const char byte : trajectory->text()) {
        AppendToken(static_cast<unsigned char>(byte), 0.0f, version_,
                    trajectory);
        ++stats_.sampled_tokens;
      }
    }
    return std::vector<Group>{std::move(group)};
  }

  int64_t Pending() const override { return pending_; }
  int64_t PolicyVersion() const override { return version_; }

  absl::Status ApplyNewWeights() override {
    COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<WeightSet> weights,
                            weights_->Take());
    if (weights != nullptr) version_ = weights->version;
    return absl::OkStatus();
  }

  EngineStats stats() const override { return stats_; }

 private:
  WeightReceiver* const weights_;
  const CompletionScript script_;
  std::deque<Lease> leases_;
  int64_t pending_ = 0;
  int64_t version_ = -1;
  EngineStats stats_;
};

}  // namespace cohort
