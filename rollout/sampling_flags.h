// The flags of verbs that sample completions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/flags.h"
#include "proto/types.pb.h"

namespace cohort {

struct SamplingFlags {
  int n = 1;
  double temperature = 1;
  double top_p = 1;
  int top_k = 0;
  int max_tokens = 256;
  std::vector<std::string> stop = {};
  uint64_t seed = 0;
  std::string tokenizer = {};  // "bytes"; empty: the folder's.
  int max_sequences = 256;
};

// What stands in `flags` are the defaults. It must outlive the parser.
void AddSamplingFlags(FlagParser* parser, SamplingFlags* flags);

// What is wrong with values that have parsed; empty if nothing is.
std::string CheckSamplingFlags(const SamplingFlags& flags);

Sampling SamplingOf(const SamplingFlags& flags,
                    const std::vector<int64_t>& end_tokens);

}  // namespace cohort
