// Prompts and completions under way.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "proto/learner.pb.h"
#include "proto/types.pb.h"
#include "rollout/block_manager.h"
#include "rollout/random.h"

namespace cohort {

struct PromptUnderWay;

//   waiting ---> running ---> finished
//      |                         ^
//      +--- one token was all ---+
enum class SequenceState { kWaiting, kRunning, kFinished };

// One completion. The token sampled last is not in the cache yet: it is fed to
// the model by the next decode.
struct Sequence {
  PromptUnderWay* prompt;
  int32_t member;  // Place in its group.
  TokenRandom random;
  SequenceState state = SequenceState::kWaiting;
  Trajectory trajectory = {};  // What has been sampled so far.
  BlockTable table = {};       // Prompt and completion; empty until it runs.

  // Tokens that belong in the cache between two steps: all but the last one.
  int64_t CachedTokens() const;

  // Whether a guess at the token after the one sampled last can spare a step:
  // one that ends the completion by its length is never fed.
  bool CanUseGuess() const;
  // Whether the table, that covers the token sampled last, covers a guess too.
  bool HasRoomForGuess() const { return table.tokens > CachedTokens() + 1; }
};

// A leased prompt with all its completions.
struct PromptUnderWay {
  Lease lease;
  int64_t max_completion_tokens;  // What the model's positions leave, at most.
  absl::Time since;               // When it was added.
  BlockTable table;               // Held until every member has its own.
  std::vector<Sequence> members;  // Never grows: sequences are pointed at.
  std::string routes;             // Group.prompt_routes.
  int64_t unfinished;             // Members.
  int64_t drafted_tokens = 0;     // Group.drafted_tokens.
  int64_t accepted_tokens = 0;    // Group.accepted_tokens.

  int64_t PromptTokens() const { return lease.prompt().tokens_size(); }
};

// Appends a sampled token and notes which weights sampled it.
void AppendToken(int32_t token, float logprob, int64_t policy_version,
                 Trajectory* trajectory);

}  // namespace cohort
