// A rollout worker that makes up its completions: the learner's tests need
// groups, not a sampler. What it makes of a lease depends on the lease alone.
#pragma once

#include <cstdint>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "learner/experience_store.h"
#include "learner/lease_book.h"
#include "learner/prompt_source.h"
#include "proto/check.h"

namespace cohort {

inline uint64_t HashText(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char letter : text) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3u;
  }
  return hash ^ (hash >> 29);
}

// Random tokens of 3 .. 36; half of the completions are right.
inline Group MakeUpGroup(const Lease& lease) {
  Group group;
  group.set_id(GroupId(lease.occurrence()));
  *group.mutable_prompt() = lease.prompt();
  *group.mutable_occurrence() = lease.occurrence();
  group.set_eval(lease.eval());
  for (int member = 0; member < lease.sampling().group_size(); ++member) {
    Trajectory& trajectory = *group.add_trajectories();
    const std::string key = group.id() + "#" + std::to_string(member);
    const int length = 1 + static_cast<int>(HashText(key) % 6);
    for (int t = 0; t < length; ++t) {
      const uint64_t draw = HashText(key + "@" + std::to_string(t));
      trajectory.add_tokens(3 + static_cast<int>(draw % 34));
      trajectory.add_sampler_logprobs(-3.0f -
                                      static_cast<float>(draw % 7) / 8.0f);
    }
    VersionSpan& span = *trajectory.add_versions();
    span.set_version(lease.min_policy_version());
    span.set_end(length);
    trajectory.set_finish_reason(FINISH_REASON_STOP);
    trajectory.set_text(key);
    const bool right = (HashText(key + "!") >> 17) % 2 == 0;
    trajectory.mutable_grade()->set_verdict(right ? VERDICT_CORRECT
                                                  : VERDICT_WRONG);
    trajectory.mutable_grade()->set_score(right ? 1 : 0);
    trajectory.mutable_grade()->set_format(1);
  }
  return group;
}

class ScriptedWorker {
 public:
  ScriptedWorker(LeaseBook* book, ExperienceStore* store)
      : thread_([book, store](const std::stop_token& stop) {
          while (!stop.stop_requested() && !book->finished()) {
            for (const Lease& lease :
                 book->LeaseTo("scripted", 3, absl::Milliseconds(20))) {
              COHORT_CHECK(store->Append(MakeUpGroup(lease)).ok());
              book->Deliver(GroupId(lease.occurrence()));
            }
          }
        }) {}

 private:
  std::jthread thread_;
};

}  // namespace cohort
