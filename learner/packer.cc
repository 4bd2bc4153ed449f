#include "learner/packer.h"

#include <torch/types.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/check.h"
#include "proto/status.h"

namespace cohort {
namespace {

// Appends the experts of `bytes`, one byte each, or two (little endian) where
// the model has more than 256.
void AppendRoutes(const std::string& bytes, int64_t experts,
                  std::vector<int32_t>* routes) {
  const auto at_byte = [&bytes](size_t i) {
    return static_cast<int32_t>(static_cast<unsigned char>(bytes[i]));
  };
  const size_t width = experts > 256 ? 2 : 1;
  for (size_t i = 0; i + width <= bytes.size(); i += width) {
    routes->push_back(width == 1 ? at_byte(i)
                                 : at_byte(i) | at_byte(i + 1) << 8);
  }
}

absl::StatusOr<TrainingSequence> ToSequence(const Group& group, int member,
                                            const ModelConfig& model) {
  const Trajectory& trajectory = group.trajectories(member);
  const auto error = [&](std::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("group ", group.id(), ", member ", member, ": ",
                     absl::string_view(what.data(), what.size())));
  };
  if (group.prompt().tokens().empty() || trajectory.tokens().empty()) {
    return error("has no tokens");
  }
  if (trajectory.tokens_size() != trajectory.sampler_logprobs_size()) {
    return error("has not one log-probability per token");
  }
  TrainingSequence sequence;
  sequence.prompt_tokens = group.prompt().tokens_size();
  sequence.tokens.assign(group.prompt().tokens().begin(),
                         group.prompt().tokens().end());
  sequence.tokens.insert(sequence.tokens.end(), trajectory.tokens().begin(),
                         trajectory.tokens().end());
  for (const int32_t token : sequence.tokens) {
    if (token < 0 || token >= model.vocab_size) {
      return error("has a token outside the vocabulary");
    }
  }
  sequence.sampler_logprobs.assign(trajectory.sampler_logprobs().begin(),
                                   trajectory.sampler_logprobs().end());
  const int64_t per_token = model.MoeLayers() * model.router.experts_per_token;
  if (per_token > 0 && !group.prompt_routes().empty()) {
    AppendRoutes(group.prompt_routes(), model.n_routed_experts,
                 &sequence.routes);
    AppendRoutes(trajectory.routes(), model.n_routed_experts, &sequence.routes);
    const int64_t fed = static_cast<int64_t>(sequence.tokens.size()) - 1;
    if (static_cast<int64_t>(sequence.routes.size()) != fed * per_token) {
      return error("has not one set of experts per token and layer");
    }
  }
  return sequence;
}

bool SampledBy(int64_t version, const Trajectory& trajectory) {
  for (const VersionSpan& span : trajectory.versions()) {
    if (span.version() != version) return false;
  }
  return true;
}

// Packs `count` sequences from `first` on into one microbatch.
Microbatch PackOne(const TrainingSequence* first, size_t count,
                   const ModelConfig& model, at::Device device) {
  std::vector<std::vector<int32_t>> fed;
  std::vector<int64_t> rows, targets, trajectories;
  std::vector<float> sampler_logprobs, advantages;
  std::vector<int32_t> routes;
  int64_t row = 0;
  std::vector<int32_t> same_policy;
  bool routed = true;
  for (const TrainingSequence* it = first; it != first + count; ++it) {
    fed.emplace_back(it->tokens.begin(), it->tokens.end() - 1);
    const int64_t length = static_cast<int64_t>(it->tokens.size());
    for (int64_t t = it->prompt_tokens; t < length; ++t) {
      rows.push_back(row + t - 1);
      targets.push_back(it->tokens[t]);
      trajectories.push_back(it->trajectory);
      same_policy.push_back(it->same_policy);
      advantages.push_back(static_cast<float>(it->advantage));
    }
    sampler_logprobs.insert(sampler_logprobs.end(),
                            it->sampler_logprobs.begin(),
                            it->sampler_logprobs.end());
    routed = routed && !it->routes.empty();
    routes.insert(routes.end(), it->routes.begin(), it->routes.end());
    row += length - 1;
  }
  Microbatch batch;
  batch.packed = PackSequences(fed, device);
  batch.rows = torch::tensor(rows, at::kLong).to(device);
  batch.targets = torch::tensor(targets, at::kLong).to(device);
  batch.trajectories = torch::tensor(trajectories, at::kLong).to(device);
  batch.same_policy = torch::tensor(same_policy, at::kBool);
  batch.advantages = torch::tensor(advantages, at::kFloat).to(device);
  batch.sampler_logprobs =
      torch::tensor(sampler_logprobs, at::kFloat).to(device);
  if (routed) {
    batch.sampler_routes =
        torch::tensor(routes, at::kLong)
            .view({row, model.MoeLayers(), model.router.experts_per_token});
  }
  return batch;
}

}  // namespace

std::vector<Microbatch> PackTrainingSequences(
    const std::vector<TrainingSequence>& sequences, const ModelConfig& model,
    int64_t microbatch_tokens, at::Device device) {
  std::vector<Microbatch> microbatches;
  size_t begin = 0;
  int64_t tokens = 0;
  for (size_t i = 0; i <= sequences.size(); ++i) {
    const int64_t more =
        i < sequences.size()
            ? static_cast<int64_t>(sequences[i].tokens.size()) - 1
            : microbatch_tokens + 1;
    if (i > begin && tokens + more > microbatch_tokens) {
      microbatches.push_back(
          PackOne(&sequences[begin], i - begin, model, device));
      begin = i;
      tokens = 0;
    }
    tokens += more;
  }
  return microbatches;
}

absl::StatusOr<Minibatch> PackGroups(const std::vector<Group>& groups,
                                     const std::vector<GroupLesson>& lessons,
                                     const ModelConfig& model,
                                     const PackingRule& rule,
                                     at::Device device) {
  COHORT_CHECK(groups.size() == lessons.size());
  Minibatch minibatch;
  std::vector<TrainingSequence> sequences;
  for (size_t g = 0; g < groups.size(); ++g) {
    const GroupLesson& lesson = lessons[g];
    for (size_t i = 0; i < lesson.members.size(); ++i) {
      const int64_t trajectory =
          static_cast<int64_t>(minibatch.counts.lengths.size());
      const Trajectory& own = groups[g].trajectories(lesson.members[i]);
      const bool cut =
          rule.filter_truncated && own.finish_reason() == FINISH_REASON_LENGTH;
      minibatch.counts.lengths.push_back(cut ? 0 : own.tokens_size());
      if (cut) continue;
      const bool kept = rule.keep_flat_groups ||
                        (lesson.has_spread && (rule.keep_zero_advantages ||
                                               lesson.advantages[i] != 0));
      if (!kept) continue;
      COHORT_ASSIGN_OR_RETURN(TrainingSequence sequence,
                              ToSequence(groups[g], lesson.members[i], model));
      sequence.trajectory = trajectory;
      sequence.advantage = lesson.advantages[i];
      sequence.same_policy = SampledBy(rule.policy_version, own);
      sequences.push_back(std::move(sequence));
    }
  }
  minibatch.microbatches =
      PackTrainingSequences(sequences, model, rule.microbatch_tokens, device);
  return minibatch;
}

}  // namespace cohort
