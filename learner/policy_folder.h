// The policy of a run, with what came in its folder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "configs/config.h"
#include "model/tokenizer.h"
#include "model/transformer.h"
#include "proto/learner.pb.h"

namespace cohort {

struct Policy {
  std::unique_ptr<Transformer> model;
  std::unique_ptr<Tokenizer> tokenizer;
  std::string tokenizer_name;  // "" or "bytes".
  std::string folder;          // model.checkpoint
  std::string config_json;
  std::string tokenizer_json;  // Empty under "bytes".
  std::string tokenizer_config_json;

  int64_t positions() const { return model->config().max_position_embeddings; }
};

// Loads the folder that `run` names, its tokenizer and its weights; new weights
// where `run` asks for them.
//   weights_folder: a checkpoint to take the weights from instead; empty: none
//   kNotFound         the folder or a file in it is missing
//   kInvalidArgument  the tokenizer has more tokens than the model
absl::StatusOr<Policy> LoadPolicy(const Config& run,
                                  const std::string& weights_folder);

// What a worker is told when it joins.
JoinResponse WelcomeOf(const Policy& policy, const RolloutConfig& rollout,
                       const std::string& run_id);

}  // namespace cohort
