#include <torch/types.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/guard.h"
#include "model/linear.h"
#include "model/logprob.h"
#include "model/safetensors.h"
#include "model/transformer.h"
#include "proto/flags.h"
#include "proto/rows.h"
#include "proto/status.h"
#include "rollout/model_flags.h"
#include "rollout/score_rows.h"
#include "rollout/verbs.h"

namespace cohort {
namespace {

// Rows are run together up to so many tokens; a row's result is the same alone.
constexpr size_t kTokensTogether = 4096;

struct ScoreFlags {
  ModelFlags model;
  std::string input;
  std::string output;
  std::string logits;
};

struct Scored {
  std::vector<float> logprobs;
  at::Tensor hidden;  // [T, D], kept where logits are asked for
};

// What is wrong with the tokens of a row; empty if nothing is.
std::string CheckTokens(const ScoreRow& row, const ModelConfig& config) {
  for (const int32_t id : row.ids) {
    if (id >= config.vocab_size) {
      return absl::StrCat("token ", id, " is not among ", config.vocab_size);
    }
  }
  const auto count = static_cast<int64_t>(row.ids.size());
  if (count > config.max_position_embeddings) {
    return absl::StrCat(count, " tokens exceed the model's ",
                        config.max_position_embeddings, " positions");
  }
  return "";
}

// Scores rows [begin, end), all without a flaw.
void ScoreTogether(const Transformer& model, const std::vector<ScoreRow>& rows,
                   const std::vector<size_t>& together, bool keep_hidden,
                   std::vector<Scored>* scored) {
  const at::NoGradGuard no_grad;
  std::vector<std::vector<int32_t>> sequences;
  for (const size_t i : together) sequences.push_back(rows[i].ids);
  const PackedTokens packed = PackSequences(sequences, model.device());
  const at::Tensor hidden = model.Forward(packed).hidden;  // [N, D]
  for (size_t s = 0; s < together.size(); ++s) {
    Scored& result = (*scored)[together[s]];
    const int64_t begin = packed.offsets[s];
    const int64_t count = packed.offsets[s + 1] - begin;
    const at::Tensor own = hidden.narrow(0, begin, count);
    if (keep_hidden) result.hidden = own.clone();
    if (count == 1) continue;
    const at::Tensor logprobs =
        LogprobsOfTokens(own.narrow(0, 0, count - 1), model.Head(),
                         packed.tokens.narrow(0, begin + 1, count - 1), 1.0)
            .logprobs.to(at::kCPU, at::kFloat)
            .contiguous();
    const float* const data = logprobs.const_data_ptr<float>();
    result.logprobs.assign(data, data + logprobs.numel());
  }
}

std::vector<Scored> ScoreRows(const Transformer& model,
                              const std::vector<ScoreRow>& rows,
                              bool keep_hidden) {
  std::vector<Scored> scored(rows.size());
  std::vector<size_t> together;
  size_t tokens = 0;
  const auto flush = [&] {
    if (together.empty()) return;
    ScoreTogether(model, rows, together, keep_hidden, &scored);
    together.clear();
    tokens = 0;
  };
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].flaw.empty()) continue;
    if (tokens + rows[i].ids.size() > kTokensTogether) flush();
    together.push_back(i);
    tokens += rows[i].ids.size();
  }
  flush();
  return scored;
}

// One tensor "logits.<id>" [T, V] float32 per row that was scored.
absl::Status WriteLogits(const std::string& path, const Transformer& model,
                         const std::vector<ScoreRow>& rows,
                         const std::vector<Scored>& scored) {
  std::vector<TensorToStore> tensors;
  at::Tensor held;  // What the bytes last asked for belong to.
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].flaw.empty()) continue;
    const at::Tensor& hidden = scored[i].hidden;
    tensors.push_back(
        {.name = absl::StrCat("logits.", rows[i].name),
         .dtype = Dtype::kF32,
         .shape = {hidden.size(0), model.config().vocab_size},
         .bytes = [&held, &model, hidden] {
           held = Linear(hidden, model.Head())
                      .to(at::kCPU, at::kFloat)
                      .contiguous();
           return std::string_view(
               reinterpret_cast<const char*>(held.const_data_ptr<float>()),
               held.nbytes());
         }});
  }
  absl::Status written;
  COHORT_RETURN_IF_ERROR(GuardTorch([&] {
    const at::NoGradGuard no_grad;
    written = WriteSafetensors(path, tensors);
  }));
  return written;
}

// Tensors of one file must differ in name.
absl::Status CheckNames(const std::vector<ScoreRow>& rows) {
  std::set<std::string> names;
  for (const ScoreRow& row : rows) {
    if (row.flaw.empty() && !names.insert(row.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("id ", row.id,
                       " stands twice: --logits names its "
                       "tensors by id"));
    }
  }
  return absl::OkStatus();
}

absl::Status Score(const ScoreFlags& flags) {
  COHORT_ASSIGN_OR_RETURN(std::vector<ScoreRow> rows,
                          ParseRows(flags.input, &ParseScoreRow));
  COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<Transformer> model,
                          LoadModel(flags.model));
  for (ScoreRow& row : rows) {
    if (row.flaw.empty()) row.flaw = CheckTokens(row, model->config());
  }
  if (!flags.logits.empty()) COHORT_RETURN_IF_ERROR(CheckNames(rows));
  COHORT_ASSIGN_OR_RETURN(const std::vector<Scored> scored, GuardTorch([&] {
                            return ScoreRows(*model, rows,
                                             !flags.logits.empty());
                          }));
  if (!flags.logits.empty()) {
    COHORT_RETURN_IF_ERROR(WriteLogits(flags.logits, *model, rows, scored));
  }
  std::string lines;
  for (size_t i = 0; i < rows.size(); ++i) {
    lines += PrintScore(rows[i], scored[i].logprobs) + "\n";
  }
  return WriteOutput(flags.output, lines);
}

}  // namespace

int ScoreVerb(const std::vector<std::string>& args) {
  ScoreFlags flags;
  FlagParser parser("score", "Log-probabilities of the tokens in a file.");
  AddModelFlags(&parser, &flags.model);
  parser.Required("input", &flags.input, "FILE",
                  "JSONL of {id, ids}; - is standard input");
  parser.Required("output", &flags.output, "FILE",
                  "JSONL of {id, logprobs}; - is standard output");
  parser.Flag("logits", &flags.logits, "FILE",
              "safetensors with logits.<id> [T, V] for each row");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  const std::string wrong = CheckModelFlags(flags.model);
  if (!wrong.empty()) return WrongCall("score", wrong);
  return ExitCode(Score(flags));
}

}  // namespace cohort
