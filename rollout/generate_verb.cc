#include <torch/types.h>

#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "model/chat_template.h"
#include "model/generation_config.h"
#include "model/tokenizer.h"
#include "model/transformer.h"
#include "proto/flags.h"
#include "proto/log.h"
#include "proto/rows.h"
#include "proto/status.h"
#include "rollout/generate_rows.h"
#include "rollout/model_engine.h"
#include "rollout/model_flags.h"
#include "rollout/sampling_flags.h"
#include "rollout/verbs.h"

namespace cohort {
namespace {

struct GenerateFlags {
  ModelFlags model;
  std::string input;
  std::string output;
  SamplingFlags sampling;
  bool ignore_eos = false;
  bool speculative = false;
};

struct Loaded {
  std::unique_ptr<Transformer> model;
  std::unique_ptr<Tokenizer> tokenizer;  // Null where the folder has none.
  std::vector<int64_t> end_tokens;
  // An error is that of the rows that have messages.
  absl::StatusOr<std::unique_ptr<ChatTemplate>> chat_template =
      absl::NotFoundError("not loaded");
};

absl::StatusOr<Loaded> Load(const GenerateFlags& flags) {
  Loaded loaded;
  COHORT_ASSIGN_OR_RETURN(loaded.model, LoadModel(flags.model));
  COHORT_ASSIGN_OR_RETURN(
      loaded.end_tokens,
      LoadEndTokens(flags.model.model, loaded.model->config()));
  loaded.chat_template = ChatTemplate::Load(flags.model.model);
  if (flags.sampling.tokenizer == "bytes") {
    loaded.tokenizer = Tokenizer::Bytes();
    return loaded;
  }
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer =
      Tokenizer::Load(flags.model.model);
  if (tokenizer.ok()) {
    loaded.tokenizer = *std::move(tokenizer);
  } else if (!absl::IsNotFound(tokenizer.status())) {
    return tokenizer.status();
  }
  return loaded;
}

// What is wrong with values that have parsed; empty if nothing is.
std::string CheckFlags(const GenerateFlags& flags) {
  const std::string wrong = CheckSamplingFlags(flags.sampling);
  if (!wrong.empty()) return wrong;
  return CheckModelFlags(flags.model);
}

// Fills in `row.text` of a row with messages: up to where the assistant speaks.
absl::Status RenderRow(const Loaded& loaded, GenerateRow* row) {
  if (row->chat.empty()) return absl::OkStatus();
  COHORT_RETURN_IF_ERROR(loaded.chat_template);
  COHORT_ASSIGN_OR_RETURN(
      RenderedChat chat,
      (*loaded.chat_template)
          ->Render(row->chat, {.add_generation_prompt = true}));
  row->text = std::move(chat.text);
  return absl::OkStatus();
}

// Fills in `row.ids`, or says what is wrong with the row.
std::string TokenizeRow(const Loaded& loaded, int max_tokens,
                        GenerateRow* row) {
  if (!row->has_ids) {
    if (loaded.tokenizer == nullptr) {
      return "the model's folder has no tokenizer.json; give ids";
    }
    if (const absl::Status status = RenderRow(loaded, row); !status.ok()) {
      return std::string(status.message());
    }
    // A chat template writes its special tokens itself.
    absl::StatusOr<std::vector<int32_t>> ids = loaded.tokenizer->Encode(
        row->text, /*add_special_tokens=*/row->chat.empty());
    if (!ids.ok()) return std::string(ids.status().message());
    row->ids = *std::move(ids);
  }
  const int64_t positions = loaded.model->config().max_position_embeddings;
  const int64_t needed = static_cast<int64_t>(row->ids.size()) + max_tokens;
  if (needed > positions) {
    return absl::StrCat(row->ids.size(), " prompt tokens and ", max_tokens,
                        " new ones exceed the model's ", positions,
                        " positions");
  }
  return "";
}

// One line per row, in the order of the rows.
absl::StatusOr<std::string> SampleRows(const GenerateFlags& flags,
                                       std::vector<GenerateRow> rows,
                                       const Loaded& loaded,
                                       ModelEngine* engine) {
  Lease lease;
  lease.mutable_occurrence()->set_stage("generate");
  *lease.mutable_sampling() = SamplingOf(flags.sampling, loaded.end_tokens);
  lease.mutable_sampling()->set_ignore_end(flags.ignore_eos);
  std::map<std::string, int64_t> seen;  // The same id is drawn anew.
  std::map<std::string, size_t> row_of;
  for (size_t i = 0; i < rows.size(); ++i) {
    GenerateRow& row = rows[i];
    if (row.flaw.empty())
      row.flaw = TokenizeRow(loaded, flags.sampling.max_tokens, &row);
    if (!row.flaw.empty()) continue;
    Occurrence& occurrence = *lease.mutable_occurrence();
    occurrence.set_prompt_id(row.id);
    occurrence.set_occurrence(seen[row.id]++);
    lease.mutable_prompt()->set_id(row.id);
    lease.mutable_prompt()->mutable_tokens()->Assign(row.ids.begin(),
                                                     row.ids.end());
    const absl::Status added = engine->Add(lease);
    if (!added.ok()) {
      row.flaw = std::string(added.message());
      continue;
    }
    row_of[absl::StrCat("generate/", row.id, "/", occurrence.occurrence())] = i;
  }
  std::vector<Group> groups(rows.size());
  while (engine->Pending() > 0) {
    COHORT_ASSIGN_OR_RETURN(std::vector<Group> finished, engine->Step());
    for (Group& group : finished) {
      groups[row_of.at(group.id())] = std::move(group);
    }
  }
  std::string lines;
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool with_text = loaded.tokenizer != nullptr && !rows[i].has_ids;
    lines += PrintCompletions(rows[i], groups[i], with_text) + "\n";
  }
  return lines;
}

void LogStats(const EngineStats& stats, double cpu_s) {
  COHORT_LOG(INFO) << "generated sampled_tokens=" << stats.sampled_tokens
                   << " prefilled_tokens=" << stats.prefilled_tokens
                   << " steps=" << stats.steps << " busy_s=" << stats.busy_s
                   << " cpu_s=" << cpu_s;
  if (stats.drafted_tokens == 0) return;
  COHORT_LOG(INFO) << "guessed drafted_tokens=" << stats.drafted_tokens
                   << " accepted_tokens=" << stats.accepted_tokens
                   << " acceptance="
                   << static_cast<double>(stats.accepted_tokens) /
                          static_cast<double>(stats.drafted_tokens);
}

absl::Status Generate(const GenerateFlags& flags) {
  COHORT_ASSIGN_OR_RETURN(std::vector<GenerateRow> rows,
                          ParseRows(flags.input, &ParseGenerateRow));
  COHORT_ASSIGN_OR_RETURN(const Loaded loaded, Load(flags));
  if (flags.speculative &&
      loaded.model->config().num_nextn_predict_layers == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("flag --speculative: ", flags.model.model,
                     " has no multi-token prediction head"));
  }
  COHORT_ASSIGN_OR_RETURN(
      const std::unique_ptr<ModelEngine> engine,
      ModelEngine::Create({.max_sequences = flags.sampling.max_sequences,
                           .speculative = flags.speculative},
                          loaded.model.get(), loaded.tokenizer.get(), nullptr));
  const std::clock_t cpu_before = std::clock();
  COHORT_ASSIGN_OR_RETURN(
      const std::string lines,
      SampleRows(flags, std::move(rows), loaded, engine.get()));
  LogStats(engine->stats(),
           static_cast<double>(std::clock() - cpu_before) / CLOCKS_PER_SEC);
  return WriteOutput(flags.output, lines);
}

}  // namespace

int GenerateVerb(const std::vector<std::string>& args) {
  GenerateFlags flags;
  FlagParser parser("generate", "Samples completions for the rows of a file.");
  AddModelFlags(&parser, &flags.model);
  parser.Required("input", &flags.input, "FILE",
                  "JSONL of {id, prompt}, {id, messages} or {id, ids}; - is "
                  "standard input");
  parser.Required("output", &flags.output, "FILE",
                  "JSONL of {id, completions}; - is standard output");
  AddSamplingFlags(&parser, &flags.sampling);
  parser.Switch("ignore-eos", &flags.ignore_eos, "sample past the end token");
  parser.Switch("speculative", &flags.speculative,
                "guess tokens with the model's prediction head and check two "
                "to a step: the same completions");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  const std::string wrong = CheckFlags(flags);
  if (!wrong.empty()) return WrongCall("generate", wrong);
  return ExitCode(Generate(flags));
}

}  // namespace cohort
