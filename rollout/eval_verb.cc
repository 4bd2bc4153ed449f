#include <torch/types.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "model/generation_config.h"
#include "model/prompt_encoder.h"
#include "model/tokenizer.h"
#include "model/transformer.h"
#include "nlohmann/json.hpp"
#include "proto/child_process.h"
#include "proto/credentials.h"
#include "proto/flags.h"
#include "proto/log.h"
#include "proto/rewards_client.h"
#include "proto/rows.h"
#include "proto/rpc.h"
#include "proto/status.h"
#include "rollout/eval_report.h"
#include "rollout/eval_run.h"
#include "rollout/eval_tasks.h"
#include "rollout/model_engine.h"
#include "rollout/model_flags.h"
#include "rollout/sampling_flags.h"
#include "rollout/task_format.h"
#include "rollout/verbs.h"

namespace cohort {
namespace {

constexpr absl::Duration kCheckPatience = absl::Seconds(10);
constexpr char kReady[] = "listening on ";

// Defaults are DeepSeek-R1's protocol (arXiv 2501.12948, section 3).
struct EvalFlags {
  ModelFlags model;
  std::string tasks;
  std::string format = "cohort";
  std::string output;
  std::string samples;
  SamplingFlags sampling = {
      .temperature = 0.6, .top_p = 0.95, .max_tokens = 1024};
  std::vector<int> k;
  int limit = 0;
  std::string chat = "auto";
  std::string rewards;
  CredentialFiles credentials;
};

// What is wrong with values that have parsed; empty if nothing is.
std::string CheckFlags(const EvalFlags& flags) {
  const std::string wrong = CheckSamplingFlags(flags.sampling);
  if (!wrong.empty()) return wrong;
  for (const int k : flags.k) {
    if (k < 1) return "flag --k must hold positive numbers";
    if (k > flags.sampling.n) {
      return absl::StrCat("flag --k: pass@", k, " needs --n of at least ", k,
                          ", it is ", flags.sampling.n);
    }
  }
  if (flags.limit < 0) return "flag --limit must not be negative";
  if (flags.chat != "auto" && flags.chat != "always" && flags.chat != "never") {
    return "flag --chat must be auto, always or never";
  }
  return CheckModelFlags(flags.model);
}

// The server that --rewards names, or a child of ours.
class RewardServer {
 public:
  static absl::StatusOr<RewardServer> Open(const EvalFlags& flags) {
    RewardServer server;
    COHORT_ASSIGN_OR_RETURN(const Credentials credentials,
                            LoadCredentials(flags.credentials));
    std::string address = flags.rewards;
    if (address.empty()) {
      COHORT_ASSIGN_OR_RETURN(const std::string bin_dir, OwnBinaryDir());
      server.log_ =
          absl::StrCat(std::filesystem::temp_directory_path().string(),
                       "/cohort-eval-", getpid(), "-rewards.log");
      COHORT_ASSIGN_OR_RETURN(
          server.child_,
          ChildProcess::Start({bin_dir + "/cohort-rewards", "reward-server",
                               "--listen", "127.0.0.1:0"},
                              server.log_, kReady));
      address = server.child_->ready_line();
    }
    server.stub_ = Rewards::NewStub(MakeChannel(
        address, flags.rewards.empty() ? Credentials() : credentials));
    return server;
  }

  RewardServer(RewardServer&&) = default;
  ~RewardServer() {
    if (!child_.has_value()) return;
    child_->Stop(absl::Seconds(5));
    std::error_code ignored;
    std::filesystem::remove(log_, ignored);
  }

  Rewards::StubInterface* stub() { return stub_.get(); }

 private:
  RewardServer() = default;

  std::string log_;
  std::optional<ChildProcess> child_;
  std::unique_ptr<Rewards::Stub> stub_;
};

absl::Status CheckTasks(const EvalFlags& flags,
                        const std::vector<Prompt>& tasks,
                        Rewards::StubInterface* rewards) {
  std::vector<const Prompt*> pointers;
  for (const Prompt& task : tasks) pointers.push_back(&task);
  const absl::Status status = CheckPrompts(
      rewards, pointers,
      {.call_timeout = kCheckPatience, .total_timeout = kCheckPatience});
  if (status.ok()) return status;
  const std::string about =
      IsRetryable(status) ? "reward server " + flags.rewards : flags.tasks;
  return absl::Status(status.code(),
                      absl::StrCat(about, ": ", status.message()));
}

// Tokenizes; tasks that do not fit are left out, and said so.
absl::StatusOr<int64_t> Encode(const EvalFlags& flags, int64_t positions,
                               const Tokenizer& tokenizer,
                               std::vector<Prompt>* tasks) {
  PromptEncoder encoder(flags.model.model, &tokenizer);
  bool as_chat = flags.chat == "always";
  if (flags.chat == "auto") {
    const absl::Status loaded = encoder.LoadTemplate();
    if (!loaded.ok() && !absl::IsNotFound(loaded)) return loaded;
    as_chat = loaded.ok();
  }
  COHORT_ASSIGN_OR_RETURN(
      const std::vector<std::string> too_long,
      EncodeTasks(&encoder, as_chat, positions - flags.sampling.max_tokens,
                  tasks));
  if (!too_long.empty()) {
    COHORT_LOG(WARNING) << "tasks left out as too long tasks="
                        << too_long.size() << " first=" << too_long[0]
                        << " positions=" << positions
                        << " max_tokens=" << flags.sampling.max_tokens;
  }
  if (tasks->empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(flags.tasks, ": no task and ", flags.sampling.max_tokens,
                     " new tokens fit the model's ", positions, " positions"));
  }
  return static_cast<int64_t>(too_long.size());
}

std::string PrintSettings(const EvalFlags& flags, int64_t too_long) {
  nlohmann::ordered_json json;
  json["model"] = flags.model.model;
  json["tasks_file"] = flags.tasks;
  json["format"] = flags.format;
  json["n"] = flags.sampling.n;
  json["temperature"] = flags.sampling.temperature;
  json["top_p"] = flags.sampling.top_p;
  json["top_k"] = flags.sampling.top_k;
  json["max_tokens"] = flags.sampling.max_tokens;
  json["seed"] = flags.sampling.seed;
  json["too_long"] = too_long;
  return json.dump(-1, ' ', false,
                   nlohmann::ordered_json::error_handler_t::replace);
}

// Beside the output, whatever its name ends in.
std::string SamplesPath(const EvalFlags& flags) {
  if (!flags.samples.empty() || flags.output == "-") return flags.samples;
  return std::filesystem::path(flags.output)
      .replace_extension(".samples.jsonl")
      .string();
}

absl::Status Write(const EvalFlags& flags, int64_t too_long,
                   const std::vector<TaskResult>& results) {
  if (const std::string path = SamplesPath(flags); !path.empty()) {
    std::string lines;
    for (const TaskResult& result : results) {
      absl::StrAppend(&lines, PrintSamples(result), "\n");
    }
    COHORT_RETURN_IF_ERROR(WriteOutput(path, lines));
  }
  const std::vector<int> ks = flags.k.empty() ? std::vector<int>{1} : flags.k;
  const std::string scores =
      PrintScores(ScoreResults(results, ks), flags.sampling.n,
                  PrintSettings(flags, too_long)) +
      "\n";
  return WriteOutput(flags.output, scores);
}

absl::Status Eval(const EvalFlags& flags) {
  COHORT_ASSIGN_OR_RETURN(const TaskFormat format,
                          FindTaskFormat(flags.format));
  COHORT_ASSIGN_OR_RETURN(std::vector<Prompt> tasks,
                          ReadTasks(flags.tasks, format, flags.limit));
  COHORT_ASSIGN_OR_RETURN(RewardServer rewards, RewardServer::Open(flags));
  COHORT_RETURN_IF_ERROR(CheckTasks(flags, tasks, rewards.stub()));
  std::unique_ptr<Tokenizer> tokenizer = Tokenizer::Bytes();
  if (flags.sampling.tokenizer.empty()) {
    COHORT_ASSIGN_OR_RETURN(tokenizer, Tokenizer::Load(flags.model.model));
  }
  COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<Transformer> model,
                          LoadModel(flags.model));
  COHORT_ASSIGN_OR_RETURN(const int64_t too_long,
                          Encode(flags, model->config().max_position_embeddings,
                                 *tokenizer, &tasks));
  COHORT_ASSIGN_OR_RETURN(const std::vector<int64_t> end_tokens,
                          LoadEndTokens(flags.model.model, model->config()));
  COHORT_ASSIGN_OR_RETURN(
      const std::unique_ptr<ModelEngine> engine,
      ModelEngine::Create({.max_sequences = flags.sampling.max_sequences},
                          model.get(), tokenizer.get(), nullptr));
  EvalSettings settings{.sampling = SamplingOf(flags.sampling, end_tokens)};
  settings.sampling.mutable_stop()->Add(format.stop.begin(), format.stop.end());
  COHORT_ASSIGN_OR_RETURN(
      const std::vector<TaskResult> results,
      Evaluate(tasks, settings, rewards.stub(), engine.get()));
  return Write(flags, too_long, results);
}

void AddFlags(FlagParser* parser, EvalFlags* flags) {
  AddModelFlags(parser, &flags->model);
  parser->Required("tasks", &flags->tasks, "FILE",
                   "JSONL or Parquet, one task per row");
  parser->Flag("format", &flags->format, "NAME",
               "what the rows are: cohort (prompts as a run has them), gsm8k, "
               "math500, aime, aime_capital, humaneval, humaneval_base, mbpp, "
               "mbpp_test, code_contests, stdio; or a FILE.yaml that says so");
  parser->Required("output", &flags->output, "FILE",
                   "one JSON object with the scores; - is standard output");
  parser->Flag("samples", &flags->samples, "FILE",
               "JSONL of all completions and their verdicts; default: beside "
               "the output, as NAME.samples.jsonl");
  AddSamplingFlags(parser, &flags->sampling);
  parser->Flag("k", &flags->k, "K[,K]", "pass@k for these; none: 1");
  parser->Flag("limit", &flags->limit, "N", "the first tasks; 0: all");
  parser->Flag("chat", &flags->chat, "WHEN",
               "whether tasks go through the model's chat template: auto "
               "(where there is one), always or never");
  parser->Flag("rewards", &flags->rewards, "HOST:PORT",
               "the reward server; default: one of its own, as a child");
  AddCredentialFlags(&flags->credentials, parser);
}

}  // namespace

int EvalVerb(const std::vector<std::string>& args) {
  EvalFlags flags;
  FlagParser parser("eval",
                    "Samples completions for tasks, has them graded, and says "
                    "pass@1 (the mean over n), unbiased pass@k and maj@n.");
  AddFlags(&parser, &flags);
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  const std::string wrong = CheckFlags(flags);
  if (!wrong.empty()) return WrongCall("eval", wrong);
  return ExitCode(Eval(flags));
}

}  // namespace cohort
