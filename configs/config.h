// Every knob, once: plain structs with defaults, units and sources; those of
// the learner are in configs/learner_config.h. configs/config.cc reads them
// from strict YAML and writes them back; the comment above a field is what
// `scripts/dev keys` prints for it.
//
// Durations are written as 30s, 10m; sizes as 2GiB. Paths are relative to the
// working directory.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "configs/export_config.h"
#include "configs/learner_config.h"

namespace cohort {

struct RunConfig {
  // Folder of the run; empty: runs/<config name>.
  std::string dir;
  // Seeds data order, sampling and new weights.
  int64_t seed = 0;
  // Rollout workers started on this machine, with a reward server; 0: workers
  // and reward server are started elsewhere and dial in.
  int local_workers = 2;
  // Address the learner listens on for workers; port 0 picks a free one.
  std::string listen = "127.0.0.1:0";
  // File with the token that calls between the services carry; empty: none.
  // Needed, or TLS, to listen on anything but loopback.
  std::string token_file;
  // PEM files, all three or none: the services then speak TLS, and each shows
  // the other a certificate that the authority signed.
  std::string tls_certificate;
  // The key of tls_certificate (PEM).
  std::string tls_key;
  // The authority whose signature on the other side's certificate counts (PEM).
  std::string tls_authority;
  // auto (a GPU where there is one), cpu or cuda.
  std::string device = "auto";
  // Optimizer steps between checkpoints.
  int checkpoint_every = 10;
  // Newest checkpoints kept, beside the best one.
  int keep_checkpoints = 2;
  // Price of one hour of one CPU core and of one GPU, in any currency, for the
  // summary's estimate; both 0: no estimate.
  double price_per_cpu_hour = 0.0;
  double price_per_gpu_hour = 0.0;
  bool operator==(const RunConfig&) const = default;
};

struct ModelSection {
  // Hugging Face folder: config.json, weights, tokenizer.json.
  std::string checkpoint;
  // Empty: the folder's tokenizer.json; bytes: one token per byte.
  std::string tokenizer;
  // Empty: load the folder's weights. fan_in: new weights, linears
  // N(0, 1/fan_in) with residual outputs halved; normal: N(0,
  // initializer_range) everywhere.
  std::string init;
  // Standard deviation of new embeddings under init: fan_in.
  double embedding_std = 0.5;
  // Load weights that are NaN or infinite, with a warning that counts them.
  bool allow_nonfinite = false;
  bool operator==(const ModelSection&) const = default;
};

struct RolloutConfig {
  // Completions per prompt (DeepSeek-R1, arXiv:2501.12948: 16).
  int group_size = 16;
  // Sampling temperature; 0 is greedy.
  double temperature = 1.0;
  // Nucleus: the smallest set of tokens with at least this probability.
  double top_p = 1.0;
  // Only the k most likely tokens; 0: all.
  int top_k = 0;
  // Longest completion, the end token included.
  int max_completion_tokens = 1024;
  // Texts that end a completion.
  std::vector<std::string> stop;
  // Sequences under way in one worker.
  int max_sequences = 256;
  // Prompts handed to a worker at a time.
  int lease_prompts = 4;
  // Threads of a worker's engine.
  int threads = 1;
  // Tokens in one block of the cache.
  int block_tokens = 16;
  // Let the model's multi-token prediction head guess each next token and check
  // guesses two to a step: the same completions in fewer steps.
  bool speculative = false;
  // A group not delivered in this time is given to another worker.
  absl::Duration lease_timeout = absl::Minutes(10);
  bool operator==(const RolloutConfig&) const = default;
};

struct RewardsConfig {
  // Address of a reward server; empty: `train` starts one.
  std::string address;
  // Weight of the verifier's score in the reward.
  double accuracy_weight = 1.0;
  // Weight of the format score in the reward.
  double format_weight = 0.0;
  // Shape that the format score asks for: r1 (<think>..</think>
  // <answer>..</answer>) or compact ([..]{..}).
  std::string format = "r1";
  // What counts as the same answer in mathematics: core, or choices parted by
  // commas, as configs/math_policy.h lists them. A prompt's own `policy` goes
  // before.
  std::string math_policy = "core";
  // Weight of the length score in the reward.
  double length_weight = 0.0;
  // The length score: overlong, 0 up to overlong_tokens before the limit and
  // falling to -1 at it (DAPO, arXiv:2503.14476); effort, -min(effort_cap,
  // exp(-(effort - 25) / effort_decay) * tokens / effort_tokens) with `effort`
  // of the prompt's row, 1 to 100 (DeepSeek-V4.1).
  std::string length = "overlong";
  // Tokens before max_completion_tokens in which the score falls.
  int overlong_tokens = 0;
  // Tokens that cost 1 at effort 25.
  double effort_tokens = 4096;
  // Most that length can cost.
  double effort_cap = 1.0;
  // Effort points that divide the cost of a token by e.
  double effort_decay = 25.0;
  // Weights that change: a weight's key to "step: value, step: value", in steps
  // of the stage; before the first of them the key itself holds.
  std::map<std::string, std::string> schedule;
  // Time limit for grading one group, all attempts together.
  absl::Duration timeout = absl::Minutes(2);
  // Calls that the reward server grades at a time.
  int workers = 2;
  // Run code also where a fence of the sandbox is missing; grades say so.
  bool allow_weak = false;
  // Calls that may wait for their turn; more are asked to come back later.
  int max_waiting = 512;
  // Share of maths completions that a second, independent grader judges too.
  double audit_share = 0.02;
  // Address of a server of your own that speaks proto/rewards.proto, for the
  // verifier `external`; empty: none.
  std::string external;
  bool operator==(const RewardsConfig&) const = default;
};

// One stage: its kind, and every section as it is in force there.
struct StageConfig {
  // sft or rl.
  std::string kind;
  // Names the stage in group ids and metrics; empty: its kind, with a number
  // where that is taken.
  std::string name;
  // Optimizer steps.
  int steps = 0;
  RolloutConfig rollout;
  RewardsConfig rewards;
  LearnerConfig learner;
  bool operator==(const StageConfig&) const = default;
};

struct Config {
  RunConfig run;
  ModelSection model;
  std::vector<StageConfig> stages;
  RolloutConfig rollout;
  RewardsConfig rewards;
  LearnerConfig learner;
  ExportConfig sink;  // The key `export`.
  bool operator==(const Config&) const = default;
};

// Reads `path`, applies `overrides` ("learner.learning_rate=1e-4",
// "stages.1.steps=20") in order and checks every value. A stage's sections
// start as the top-level ones and take what the stage states. An override has
// the last word: one of a top-level section holds in every stage.
//   kNotFound         no such file
//   kInvalidArgument  "<file>:<line>: unknown key 'lr' in learner; nearest is
//                     'learning_rate'", a wrong type, an impossible value
absl::StatusOr<Config> LoadConfig(const std::string& path,
                                  const std::vector<std::string>& overrides);

// The same from text; `name` stands for the file in errors.
absl::StatusOr<Config> ParseConfig(const std::string& yaml,
                                   const std::string& name,
                                   const std::vector<std::string>& overrides);

// What a learner needs beside valid values: a checkpoint, and for every stage
// what it learns from.
absl::Status CheckTrainable(const Config& config);

// The resolved whole as YAML: reading it gives `config` again.
std::string PrintConfig(const Config& config);

// One section alone, for a worker that is told its settings by the learner.
std::string PrintRollout(const RolloutConfig& rollout);
absl::StatusOr<RolloutConfig> ParseRollout(const std::string& yaml);

// Every key with its default, "learner.learning_rate 1.0e-06", one per line;
// N stands for the place in a list.
std::string ListConfigKeys();

}  // namespace cohort
