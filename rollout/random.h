// Random numbers that belong to a token, not to a generator's history: any
// completion can be drawn again alone, on any worker, in any batch.
#pragma once

#include <array>
#include <cstdint>

#include "proto/types.pb.h"

namespace cohort {

// The Philox4x32-10 block function: 128 random bits for one counter and key.
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC'11),
// and its Random123 1.14 known answers.
std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter,
                               std::array<uint32_t, 2> key);

// The numbers of one member of one group.
class TokenRandom {
 public:
  // Keyed by XXH3-64 over the run's seed, stage, prompt id, occurrence and
  // member, each text preceded by its length.
  TokenRandom(uint64_t seed, const Occurrence& occurrence, int32_t member);

  // In [0, 1), with 53 random bits; a pure function of the key and `index`, the
  // token's place in the completion.
  double Uniform(int64_t index) const;

 private:
  uint64_t key_;
};

}  // namespace cohort
