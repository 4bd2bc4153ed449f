// The flags of verbs that run a model, and the model they name.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/transformer.h"
#include "proto/flags.h"

namespace cohort {

struct ModelFlags {
  std::string model;
  std::string dtype;  // Empty: the checkpoint's; float32 on the CPU.
  bool allow_nonfinite = false;
  std::string device = "auto";
  int threads = 0;  // 0: all cores.
};

// `flags` must outlive the parser.
void AddModelFlags(FlagParser* parser, ModelFlags* flags);

// What is wrong with values that have parsed; empty if nothing is.
std::string CheckModelFlags(const ModelFlags& flags);

// Opens the device, sets the number of threads, loads config and weights.
absl::StatusOr<std::unique_ptr<Transformer>> LoadModel(const ModelFlags& flags);

}  // namespace cohort
