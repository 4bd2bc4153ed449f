// What a run will ask of this machine, before it starts.
#pragma once

#include <string>

#include "configs/config.h"
#include "model/model_config.h"

namespace cohort {

// A table for people: bytes of weights, optimizer, reference, and of each
// worker's cache.
std::string PlannedMemory(const Config& config, const ModelConfig& model);

}  // namespace cohort
