// Checkpoints: everything a run needs to go on, or nothing at all.
//
//   checkpoints/step_000100/                a Hugging Face folder
//   checkpoints/step_000100/trainer_state/  state.json, optimizer.safetensors,
//                                           reference.safetensors
//   checkpoints/latest -> step_000100
//
// A folder is written beside its place, synced, and renamed; `latest` likewise.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/checkpoint_folders.h"
#include "learner/optimizer.h"
#include "learner/state_json.h"
#include "model/transformer.h"

namespace cohort {

// What a checkpoint is made of, beside the state. Nothing is kept.
struct CheckpointParts {
  const Transformer* policy = nullptr;
  const AdamW* optimizer = nullptr;        // Null: none is under way.
  const Transformer* reference = nullptr;  // Null: none is in force.
  std::string config_json;    // Of the folder the policy came from,
  std::string source_folder;  // which also has the tokenizer's files.
};

// Writes checkpoints/step_<step> and turns `latest` to it. Returns its path.
absl::StatusOr<std::string> SaveCheckpoint(const std::string& checkpoints,
                                           const TrainerState& state,
                                           const CheckpointParts& parts);

absl::Status LoadOptimizer(const std::string& checkpoint,
                           const TrainerState& state, AdamW* optimizer);
absl::Status LoadReference(const std::string& checkpoint,
                           Transformer* reference);

}  // namespace cohort
