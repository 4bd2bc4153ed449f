// Any bytes as a config.json: an error or a config, never a crash.
#include <cstddef>
#include <cstdint>
#include <string>

#include "model/model_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string json(reinterpret_cast<const char*>(data), size);
  const auto config = cohort::ParseModelConfig(json, "config.json");
  if (config.ok()) {
    // What was accepted can be used.
    (void)config->ParameterCount();
    (void)cohort::ModelHash(*config);
  }
  return 0;
}
