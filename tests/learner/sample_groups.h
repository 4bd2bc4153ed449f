// Leases and graded groups for the learner's tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "learner/prompt_source.h"
#include "proto/learner.pb.h"
#include "proto/types.pb.h"

namespace cohort {

inline Lease MakeLease(const std::string& prompt_id, int64_t occurrence = 0,
                       int group_size = 2, const std::string& stage = "rl") {
  Lease lease;
  lease.mutable_occurrence()->set_stage(stage);
  lease.mutable_occurrence()->set_prompt_id(prompt_id);
  lease.mutable_occurrence()->set_occurrence(occurrence);
  lease.mutable_prompt()->set_id(prompt_id);
  lease.mutable_prompt()->set_text("1+1=");
  lease.mutable_prompt()->set_answer("2");
  lease.mutable_prompt()->add_tokens(7);
  lease.mutable_sampling()->set_group_size(group_size);
  lease.mutable_sampling()->set_max_completion_tokens(8);
  return lease;
}

inline std::string IdOf(const Lease& lease) {
  return GroupId(lease.occurrence());
}

// What a worker makes of `lease`: three tokens each, the first completion right
// and the others wrong.
inline Group MakeGroup(const Lease& lease, int64_t version = 0) {
  Group group;
  group.set_id(IdOf(lease));
  *group.mutable_prompt() = lease.prompt();
  *group.mutable_occurrence() = lease.occurrence();
  group.set_eval(lease.eval());
  for (int member = 0; member < lease.sampling().group_size(); ++member) {
    Trajectory& trajectory = *group.add_trajectories();
    for (int token = 0; token < 3; ++token) {
      trajectory.add_tokens(10 + member + token);
      trajectory.add_sampler_logprobs(-0.5f);
    }
    VersionSpan& span = *trajectory.add_versions();
    span.set_version(version);
    span.set_end(3);
    trajectory.set_finish_reason(FINISH_REASON_STOP);
    trajectory.set_text(member == 0 ? "2" : "3");
    trajectory.mutable_grade()->set_verdict(member == 0 ? VERDICT_CORRECT
                                                        : VERDICT_WRONG);
    trajectory.mutable_grade()->set_score(member == 0 ? 1 : 0);
    trajectory.mutable_grade()->set_format(1);
  }
  return group;
}

}  // namespace cohort
