#include "rollout/sequence.h"

namespace cohort {

int64_t Sequence::CachedTokens() const {
  return prompt->PromptTokens() + trajectory.tokens_size() - 1;
}

bool Sequence::CanUseGuess() const {
  return trajectory.tokens_size() + 2 <= prompt->max_completion_tokens;
}

void AppendToken(int32_t token, float logprob, int64_t policy_version,
                 Trajectory* trajectory) {
  const int32_t place = trajectory->tokens_size();
  trajectory->add_tokens(token);
  trajectory->add_sampler_logprobs(logprob);
  if (place == 0 ||
      trajectory->versions().rbegin()->version() != policy_version) {
    VersionSpan* const span = trajectory->add_versions();
    span->set_version(policy_version);
    span->set_begin(place);
  }
  trajectory->mutable_versions()->rbegin()->set_end(place + 1);
}

}  // namespace cohort
