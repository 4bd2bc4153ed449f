#include "learner/export_verb.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "configs/config.h"
#include "learner/exporter.h"
#include "learner/run_dir.h"
#include "learner/store_reader.h"
#include "proto/flags.h"
#include "proto/log.h"
#include "proto/parquet.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

// Everything that the rows depend on.
absl::StatusOr<std::string> KeyOf(const ExportFlags& flags, const RunDir& dir,
                                  const StoreReader& store) {
  COHORT_ASSIGN_OR_RETURN(const std::string config, ReadFile(dir.config()));
  COHORT_ASSIGN_OR_RETURN(const std::vector<int64_t> state,
                          store.Fingerprint());
  return ExportKey(flags.filters,
                   absl::StrCat(flags.run_dir, "\n", flags.stage, "\n",
                                flags.from_step, " ", flags.to_step, "\n",
                                absl::StrJoin(state, " "), "\n", config));
}

absl::Status CheckStage(const ExportFlags& flags, const Config& config) {
  const auto named = [&flags](const StageConfig& stage) {
    return stage.name == flags.stage;
  };
  if (flags.stage.empty() ||
      std::any_of(config.stages.begin(), config.stages.end(), named)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--stage ", flags.stage, ": ", flags.run_dir, " has no such stage"));
}

// Rows, manifest, and then nothing that an export to come would continue.
absl::Status Publish(const ExportFlags& flags, Exporter* exporter) {
  ExportFile* const file = exporter->file();
  if (absl::EndsWith(flags.output, ".parquet")) {
    COHORT_RETURN_IF_ERROR(
        WriteParquet(file->path(), exporter->Columns(), flags.output));
    COHORT_RETURN_IF_ERROR(WriteFileAtomically(flags.output + ".manifest.json",
                                               exporter->Manifest()));
    file->RemoveRows();
  } else {
    COHORT_RETURN_IF_ERROR(WriteFileAtomically(flags.output + ".manifest.json",
                                               exporter->Manifest()));
    COHORT_RETURN_IF_ERROR(PublishFile(file->path(), flags.output));
  }
  file->RemoveState();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> Export(const ExportFlags& flags) {
  COHORT_ASSIGN_OR_RETURN(const RunDir dir, RunDir::OpenToRead(flags.run_dir));
  COHORT_ASSIGN_OR_RETURN(const Config config, LoadConfig(dir.config(), {}));
  COHORT_RETURN_IF_ERROR(CheckStage(flags, config));
  COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<StoreReader> store,
                          StoreReader::Open(dir.store()));
  COHORT_ASSIGN_OR_RETURN(const std::string key, KeyOf(flags, dir, *store));
  COHORT_ASSIGN_OR_RETURN(
      const std::vector<int64_t> groups,
      store->List({.stage = flags.stage,
                   .after_step = std::max<int64_t>(flags.from_step, 0) - 1,
                   .to_step = flags.to_step}));
  COHORT_ASSIGN_OR_RETURN(ExportFile file,
                          ExportFile::Open(flags.output + ".partial", key));
  COHORT_ASSIGN_OR_RETURN(
      const std::unique_ptr<Exporter> exporter,
      Exporter::Create(config, flags.filters, store.get(), std::move(file)));
  const size_t done = static_cast<size_t>(exporter->progress().groups);
  if (done > 0) {
    COHORT_LOG(INFO) << "continuing groups=" << done << " of=" << groups.size();
  }
  COHORT_RETURN_IF_ERROR(exporter->Export(
      absl::MakeConstSpan(groups).subspan(done), flags.save_bytes));
  COHORT_RETURN_IF_ERROR(exporter->Save(/*step=*/-1));
  COHORT_RETURN_IF_ERROR(Publish(flags, exporter.get()));
  return exporter->Summary();
}

int ExportVerb(const std::vector<std::string>& args) {
  ExportFlags flags;
  ExportConfig& filters = flags.filters;
  FlagParser parser("export",
                    "Writes the completions of a run as rows to learn from.");
  parser.Positional("RUN_DIR", &flags.run_dir, "folder of the run");
  parser.Required("output", &flags.output, "FILE", "a .jsonl or .parquet file");
  parser.Flag("stage", &flags.stage, "NAME", "only groups of this stage");
  parser.Flag("from-step", &flags.from_step, "N",
              "only groups trained on or dropped at this step or later");
  parser.Flag("to-step", &flags.to_step, "N", "... or before");
  parser.Switch("correct", &filters.correct, "only correct completions");
  parser.Flag("min-tokens", &filters.min_completion_tokens, "N",
              "fewest tokens of a completion");
  parser.Flag("max-tokens", &filters.max_completion_tokens, "N",
              "most tokens of a completion; 0: no limit");
  parser.Flag("min-pass-rate", &filters.min_pass_rate, "X",
              "least share of correct completions in a group");
  parser.Flag("max-pass-rate", &filters.max_pass_rate, "X",
              "largest share of correct completions in a group");
  parser.Flag("language", &filters.language, "CODE",
              "only completions in the letters of ar, el, en, he, hi, ja, ko, "
              "ru, th or zh");
  parser.Flag("max-paragraph", &filters.max_paragraph, "N",
              "most characters of a paragraph; 0: no limit");
  parser.Switch("no-code", &filters.no_code,
                "no code in completions that no code verifier judges");
  parser.Flag("decontaminate", &filters.decontaminate, "FILE",
              "leave out what holds texts of these tests");
  parser.Flag("ngram", &filters.ngram, "N",
              "words in a run that tests may not share");
  parser.Flag("duplicates", &filters.duplicates, "WHICH",
              "keep; exact, near: leave them out");
  parser.Flag("similarity", &filters.similarity, "X",
              "of near duplicates, the Jaccard similarity of 5-word runs");
  parser.Flag("per-prompt", &filters.per_prompt, "N",
              "most completions of one prompt; 0: all");
  parser.Switch("token-ids", &filters.token_ids, "rows hold token ids too");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  if (!absl::EndsWith(flags.output, ".jsonl") &&
      !absl::EndsWith(flags.output, ".parquet")) {
    return WrongCall("export", absl::StrCat("--output ", flags.output,
                                            ": must end in .jsonl or "
                                            ".parquet"));
  }
  if (const absl::Status right = CheckExportValues(filters); !right.ok()) {
    return WrongCall("export", right.message());
  }
  const absl::StatusOr<std::string> summary = Export(flags);
  if (summary.ok()) COHORT_LOG(INFO) << *summary;
  return ExitCode(summary.status());
}

}  // namespace cohort
