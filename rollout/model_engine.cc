#include "rollout/model_engine.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/guard.h"
#include "proto/check.h"
#include "proto/status.h"

namespace cohort {
namespace {

// The experts of rows [begin, end), as Trajectory.routes lays them out.
void AppendRoutes(const at::Tensor& routes, int64_t begin, int64_t end,
                  int64_t experts, std::string* bytes) {
  const int64_t per_row = routes.size(1) * routes.size(2);
  const int32_t* const data = routes.const_data_ptr<int32_t>();
  for (int64_t i = begin * per_row; i < end * per_row; ++i) {
    bytes->push_back(static_cast<char>(data[i] & 0xff));
    if (experts > 256) bytes->push_back(static_cast<char>(data[i] >> 8));
  }
}

at::Tensor ToDevice(const std::vector<int64_t>& values, at::Device device) {
  return at::tensor(values, at::kLong).to(device);
}

// Row b: the blocks of the sequence, padded with zeros.
at::Tensor BlockTables(const std::vector<Sequence*>& sequences,
                       at::Device device) {
  size_t most = 1;
  for (const Sequence* sequence : sequences) {
    most = std::max(most, sequence->table.blocks.size());
  }
  const at::Tensor tables = at::zeros(
      {static_cast<int64_t>(sequences.size()), static_cast<int64_t>(most)},
      at::kInt);
  int32_t* row = tables.mutable_data_ptr<int32_t>();
  for (const Sequence* sequence : sequences) {
    std::copy(sequence->table.blocks.begin(), sequence->table.blocks.end(),
              row);
    row += most;
  }
  return tables.to(device);
}

// Enough for `max_sequences` of full length, within `cache_bytes`.
int64_t BlocksToHold(const ModelEngineSettings& settings,
                     const ModelConfig& config, at::ScalarType dtype) {
  const int64_t per_sequence =
      (config.max_position_embeddings + settings.block_tokens - 1) /
          settings.block_tokens +
      1;
  const int64_t layers =
      config.num_hidden_layers + (settings.speculative ? 1 : 0);
  const int64_t block_bytes =
      KvCache::BytesPerToken(config, dtype) * layers * settings.block_tokens;
  const int64_t affordable = std::min<int64_t>(
      settings.cache_bytes / block_bytes,
      std::numeric_limits<int32_t>::max() / settings.block_tokens);
  return std::max(per_sequence,
                  std::min(settings.max_sequences * per_sequence, affordable));
}

bool EndsWithEndToken(const Sequence& sequence) {
  const Sampling& sampling = sequence.prompt->lease.sampling();
  const int32_t last = *sequence.trajectory.tokens().rbegin();
  return !sampling.ignore_end() &&
         std::count(sampling.end_tokens().begin(), sampling.end_tokens().end(),
                    last) > 0;
}

}  // namespace

std::vector<TensorInfo> WeightLayout(const Transformer& model) {
  std::vector<TensorInfo> layout;
  for (const NamedTensor& named : model.HfTensors()) {
    TensorInfo info;
    info.set_name(named.name);
    info.set_dtype("F32");
    for (const int64_t size : named.tensor.sizes()) info.add_shape(size);
    layout.push_back(std::move(info));
  }
  return layout;
}

absl::Status ApplyWeights(const WeightSet& weights, Transformer* model) {
  return GuardTorch([&] {
    const at::NoGradGuard no_grad;
    int64_t offset = 0;
    const std::vector<NamedTensor> tensors = model->HfTensors();
    COHORT_CHECK(tensors.size() == weights.tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
      const std::string& dtype = weights.tensors[i].dtype();
      // from_blob wants a pointer that could be written to; copy_ reads only.
      void* const bytes = const_cast<char*>(weights.bytes.data() + offset);
      at::Tensor target = tensors[i].tensor;
      target.copy_(at::from_blob(bytes, target.sizes(),
                                 dtype == "BF16" ? at::kBFloat16 : at::kFloat));
      offset += target.numel() * BytesPerValue(dtype);
    }
    model->WeightsChanged();
  });
}

absl::StatusOr<std::unique_ptr<ModelEngine>> ModelEngine::Create(
    const ModelEngineSettings& settings, Transformer* model,
    const Tokenizer* tokenizer, WeightReceiver* weights) {
  if (settings.speculative && model->config().num_nextn_predict_layers == 0) {
    return absl::InvalidArgumentError(
        "the model has no multi-token prediction head to make guesses with");
  }
  const at::ScalarType dtype = model->Head().scalar_type();
  const SchedulerSettings scheduler = {
      .blocks = BlocksToHold(settings, model->config(), dtype),
      .block_tokens = settings.block_tokens,
      .max_sequences = settings.max_sequences,
      .prefill_tokens = settings.prefill_tokens,
      .draft = settings.speculative};
  COHORT_ASSIGN_OR_RETURN(
      KvCache cache,
      KvCache::Create(model->config(), scheduler.blocks, scheduler.block_tokens,
                      dtype, model->device(), settings.speculative));
  return std::unique_ptr<ModelEngine>(
      new ModelEngine(scheduler, model, tokenizer, weights, std::move(cache)));
}

ModelEngine::ModelEngine(const SchedulerSettings& scheduler, Transformer* model,
                         const Tokenizer* tokenizer, WeightReceiver* weights,
                         KvCache cache)
    : model_(model),
      tokenizer_(tokenizer),
      weights_(weights),
      cache_(std::move(cache)),
      scheduler_(scheduler),
      version_(weights == nullptr ? 0 : -1) {
  if (scheduler.draft) {
    drafter_ = std::make_unique<Drafter>(model, &cache_, &sampler_);
  }
}

absl::Status ModelEngine::CheckLease(const Lease& lease) const {
  const auto invalid = [&](const std::string& what) {
    return absl::InvalidArgumentError(
        absl::StrCat("prompt ", lease.prompt().id(), ": ", what));
  };
  const Sampling& sampling = lease.sampling();
  const int64_t positions = model_->config().max_position_embeddings;
  if (lease.prompt().tokens().empty()) return invalid("no tokens");
  if (lease.prompt().tokens_size() >= positions) {
    return invalid(absl::StrCat(lease.prompt().tokens_size(),
                                " tokens leave no room for a completion in ",
                                positions, " positions"));
  }
  for (const int32_t token : lease.prompt().tokens()) {
    if (token < 0 || token >= model_->config().vocab_size) {
      return invalid(absl::StrCat("token ", token, " is not among ",
                                  model_->config().vocab_size));
    }
  }
  if (sampling.group_size() < 1 || sampling.max_completion_tokens() < 1) {
    return invalid("group_size and max_completion_tokens must be positive");
  }
  if (!(sampling.temperature() >= 0) ||
      !std::isfinite(sampling.temperature()) || !(sampling.top_p() > 0) ||
      sampling.top_k() < 0) {
    return invalid("temperature, top_p or top_k out of range");
  }
  if (!sampling.stop().empty() && tokenizer_ == nullptr) {
    return invalid("stop texts need a tokenizer");
  }
  for (const std::string& stop : sampling.stop()) {
    if (stop.empty()) return invalid("a stop text is empty");
  }
  return absl::OkStatus();
}

absl::Status ModelEngine::Add(const Lease& lease) {
  COHORT_RETURN_IF_ERROR(CheckLease(lease));
  auto prompt = std::make_unique<PromptUnderWay>();
  prompt->lease = lease;
  prompt->since = absl::Now();
  prompt->max_completion_tokens = std::min<int64_t>(
      lease.sampling().max_completion_tokens(),
      model_->config().max_position_embeddings - lease.prompt().tokens_size());
  prompt->unfinished = lease.sampling().group_size();
  for (int32_t member = 0; member < lease.sampling().group_size(); ++member) {
    prompt->members.push_back(
        {.prompt = prompt.get(),
         .member = member,
         .random =
             TokenRandom(lease.sampling().seed(), lease.occurrence(), member)});
  }
  if (!lease.sampling().stop().empty()) {
    for (const Sequence& sequence : prompt->members) {
      stop_finders_.emplace(
          &sequence, StopFinder(tokenizer_, {lease.sampling().stop().begin(),
                                             lease.sampling().stop().end()}));
    }
  }
  pending_ += prompt->unfinished;
  scheduler_.Add(prompt.get());
  prompts_.push_back(std::move(prompt));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Group>> ModelEngine::Step() {
  const absl::Time start = absl::Now();
  absl::Status status;
  COHORT_RETURN_IF_ERROR(GuardTorch([&] {
    const at::NoGradGuard no_grad;
    const StepPlan plan = scheduler_.Plan();
    if (!plan.prefill.empty()) {
      status = RunPrefill(plan.prefill);
    } else if (!plan.decode.empty()) {
      status = RunDecode(plan);
    }
  }));
  COHORT_RETURN_IF_ERROR(status);
  ++stats_.steps;
  stats_.busy_s += absl::ToDoubleSeconds(absl::Now() - start);
  return TakeFinishedGroups();
}

absl::Status ModelEngine::RunPrefill(
    const std::vector<PromptUnderWay*>& prompts) {
  std::vector<std::vector<int32_t>> sequences;
  std::vector<int64_t> slots;
  std::vector<Draw> draws;
  for (PromptUnderWay* prompt : prompts) {
    const auto& tokens = prompt->lease.prompt().tokens();
    for (int64_t i = 0; i < tokens.size(); ++i) {
      slots.push_back(
          prompt->table.blocks[static_cast<size_t>(i / cache_.block_tokens())] *
              cache_.block_tokens() +
          i % cache_.block_tokens());
    }
    for (Sequence& sequence : prompt->members) {
      draws.push_back({.sequence = &sequence,
                       .row = static_cast<int64_t>(sequences.size())});
    }
    sequences.emplace_back(tokens.begin(), tokens.end());
  }
  const PackedTokens packed = PackSequences(sequences, model_->device());
  const SampleResult result =
      model_->Prefill(packed, ToDevice(slots, model_->device()), &cache_);
  if (result.routes.defined()) {
    for (size_t i = 0; i < prompts.size(); ++i) {
      AppendRoutes(result.routes, packed.offsets[i], packed.offsets[i + 1],
                   model_->config().n_routed_experts, &prompts[i]->routes);
    }
  }
  stats_.prefilled_tokens += packed.offsets.back();
  COHORT_RETURN_IF_ERROR(SampleTokens(result.logits, draws));
  if (drafter_ == nullptr) return absl::OkStatus();
  for (const auto& [sequence, row] : draws) {
    if (sequence->state == SequenceState::kFinished) continue;
    drafter_->Note(sequence, sequence->prompt->PromptTokens() - 1,
                   result.hidden.narrow(0, row, 1));
  }
  return absl::OkStatus();
}

absl::Status ModelEngine::RunDecode(const StepPlan& plan) {
  for (const BlockCopy& copy : plan.copies) {
    cache_.CopyBlock(copy.from, copy.to);
  }
  const DecodeRows rows = RowsToFeed(plan.decode);
  const SampleResult result =
      model_->Decode(ToDevice(rows.tokens, model_->device()),
                     ToDevice(rows.positions, model_->device()),
                     BlockTables(rows.sequences, model_->device()), &cache_);
  COHORT_RETURN_IF_ERROR(SampleTokens(result.logits, rows.draws));
  std::vector<int64_t> kept(rows.draws.size(), 1);  // Rows of each sequence.
  std::vector<Draw> behind_guesses;
  for (size_t i = 0; i < rows.draws.size(); ++i) {
    const auto& [sequence, row] = rows.draws[i];
    if (!CheckGuess(rows.guesses[i], sequence)) continue;
    kept[i] = 2;
    behind_guesses.push_back({.sequence = sequence, .row = row + 1});
  }
  COHORT_RETURN_IF_ERROR(SampleTokens(result.logits, behind_guesses));
  for (size_t i = 0; i < rows.draws.size(); ++i) {
    const auto& [sequence, row] = rows.draws[i];
    if (result.routes.defined()) {
      AppendRoutes(result.routes, row, row + kept[i],
                   model_->config().n_routed_experts,
                   sequence->trajectory.mutable_routes());
    }
    if (sequence->state == SequenceState::kFinished) continue;
    scheduler_.DropGuess(sequence);
    if (drafter_ == nullptr) continue;
    drafter_->Note(sequence, rows.positions[static_cast<size_t>(row)],
                   result.hidden.narrow(0, row, kept[i]));
  }
  return absl::OkStatus();
}

ModelEngine::DecodeRows ModelEngine::RowsToFeed(
    const std::vector<Sequence*>& sequences) {
  DecodeRows rows;
  rows.guesses = drafter_ == nullptr
                     ? std::vector<int32_t>(sequences.size(), Drafter::kNoGuess)
                     : drafter_->Guess(sequences);
  const auto feed = [&](Sequence* sequence, int32_t token, int64_t position) {
    rows.tokens.push_back(token);
    rows.positions.push_back(position);
    rows.sequences.push_back(sequence);
  };
  for (size_t i = 0; i < sequences.size(); ++i) {
    Sequence* const sequence = sequences[i];
    const int64_t position = sequence->CachedTokens();
    rows.draws.push_back({.sequence = sequence,
                          .row = static_cast<int64_t>(rows.tokens.size())});
    feed(sequence, *sequence->trajectory.tokens().rbegin(), position);
    if (rows.guesses[i] != Drafter::kNoGuess) {
      feed(sequence, rows.guesses[i], position + 1);
    }
  }
  return rows;
}

bool ModelEngine::CheckGuess(int32_t guess, Sequence* sequence) {
  if (guess == Drafter::kNoGuess) return false;
  ++stats_.drafted_tokens;
  ++sequence->prompt->drafted_tokens;
  if (guess != *sequence->trajectory.tokens().rbegin()) return false;
  ++stats_.accepted_tokens;
  ++sequence->prompt->accepted_tokens;
  return sequence->state != SequenceState::kFinished;
}

absl::Status ModelEngine::SampleTokens(const at::Tensor& logits,
                                       const std::vector<Draw>& draws) {
  if (draws.empty()) return absl::OkStatus();
  const std::vector<absl::StatusOr<SampledToken>> sampled =
      sampler_.Sample(logits, draws);
  for (size_t i = 0; i < draws.size(); ++i) {
    Sequence* const sequence = draws[i].sequence;
    if (!sampled[i].ok()) {
      return absl::Status(
          sampled[i].status().code(),
          absl::StrCat("prompt ", sequence->prompt->lease.prompt().id(),
                       ", policy version ", version_, ": ",
                       sampled[i].status().message()));
    }
    TakeToken(sequence, *sampled[i]);
  }
  return absl::OkStatus();
}

void ModelEngine::TakeToken(Sequence* sequence, const SampledToken& sampled) {
  const PromptUnderWay& prompt = *sequence->prompt;
  Trajectory& trajectory = sequence->trajectory;
  AppendToken(sampled.token, sampled.logprob, version_, &trajectory);
  ++stats_.sampled_tokens;
  if (EndsWithStop(*sequence)) {
    Finish(sequence, FINISH_REASON_STOP);
  } else if (trajectory.tokens_size() == prompt.max_completion_tokens) {
    Finish(sequence, FINISH_REASON_LENGTH);
  }
}

bool ModelEngine::EndsWithStop(const Sequence& sequence) {
  if (EndsWithEndToken(sequence)) return true;
  const auto finder = stop_finders_.find(&sequence);
  return finder != stop_finders_.end() &&
         finder->second.Contains(sequence.trajectory.tokens());
}

void ModelEngine::Finish(Sequence* sequence, FinishReason reason) {
  Trajectory& trajectory = sequence->trajectory;
  trajectory.set_finish_reason(reason);
  if (tokenizer_ != nullptr) {
    absl::Span<const int32_t> tokens = trajectory.tokens();
    if (EndsWithEndToken(*sequence)) tokens.remove_suffix(1);
    std::string text = DecodeCompletion(*tokenizer_, tokens);
    const auto& stops = sequence->prompt->lease.sampling().stop();
    text.resize(
        std::min(text.size(), FindStop(text, {stops.begin(), stops.end()})));
    trajectory.set_text(std::move(text));
  }
  stop_finders_.erase(sequence);
  if (drafter_ != nullptr) drafter_->Forget(sequence);
  scheduler_.Finish(sequence);
  --sequence->prompt->unfinished;
  --pending_;
}

std::vector<Group> ModelEngine::TakeFinishedGroups() {
  std::vector<Group> groups;
  std::erase_if(prompts_, [&](std::unique_ptr<PromptUnderWay>& prompt) {
    if (prompt->unfinished > 0) return false;
    Lease& lease = prompt->lease;
    Group& group = groups.emplace_back();
    group.set_id(absl::StrCat(lease.occurrence().stage(), "/",
                              lease.occurrence().prompt_id(), "/",
                              lease.occurrence().occurrence()));
    *group.mutable_prompt() = std::move(*lease.mutable_prompt());
    *group.mutable_occurrence() = std::move(*lease.mutable_occurrence());
    group.set_eval(lease.eval());
    for (Sequence& sequence : prompt->members) {
      *group.add_trajectories() = std::move(sequence.trajectory);
    }
    group.set_prompt_routes(std::move(prompt->routes));
    group.set_drafted_tokens(prompt->drafted_tokens);
    group.set_accepted_tokens(prompt->accepted_tokens);
    group.set_sample_s(absl::ToDoubleSeconds(absl::Now() - prompt->since));
    return true;
  });
  return groups;
}

absl::Status ModelEngine::ApplyNewWeights() {
  if (weights_ == nullptr) return absl::OkStatus();
  COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<WeightSet> weights,
                          weights_->Take());
  if (weights == nullptr) return absl::OkStatus();
  COHORT_RETURN_IF_ERROR(ApplyWeights(*weights, model_));
  version_ = weights->version;
  return absl::OkStatus();
}

}  // namespace cohort
