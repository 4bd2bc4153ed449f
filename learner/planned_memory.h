// What a run will ask of this machine, before it starts.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "configs/config.h"

namespace cohort {

// A table for people: bytes of weights, optimizer, reference, and of each
// worker's cache, for the model that the config names.
absl::StatusOr<std::string> PlannedMemory(const Config& config);

}  // namespace cohort
