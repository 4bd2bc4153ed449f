#include "rollout/random.h"

#include <string>
#include <string_view>

#include "xxhash.h"

namespace cohort {
namespace {

void AppendNumber(uint64_t number, std::string* bytes) {
  for (int shift = 0; shift < 64; shift += 8) {
    bytes->push_back(static_cast<char>((number >> shift) & 0xff));
  }
}

void AppendText(std::string_view text, std::string* bytes) {
  AppendNumber(text.size(), bytes);
  bytes->append(text);
}

}  // namespace

std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter,
                               std::array<uint32_t, 2> key) {
  constexpr int kRounds = 10;
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t first = uint64_t{0xD2511F53} * counter[0];
    const uint64_t second = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(second >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(second),
               static_cast<uint32_t>(first >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(first)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

TokenRandom::TokenRandom(uint64_t seed, const Occurrence& occurrence,
                         int32_t member) {
  std::string bytes;
  AppendNumber(seed, &bytes);
  AppendText(occurrence.stage(), &bytes);
  AppendText(occurrence.prompt_id(), &bytes);
  AppendNumber(static_cast<uint64_t>(occurrence.occurrence()), &bytes);
  AppendNumber(static_cast<uint64_t>(member), &bytes);
  key_ = XXH3_64bits(bytes.data(), bytes.size());
}

double TokenRandom::Uniform(int64_t index) const {
  const auto counter = static_cast<uint64_t>(index);
  const std::array<uint32_t, 4> bits =
      Philox({static_cast<uint32_t>(counter),
              static_cast<uint32_t>(counter >> 32), 0, 0},
             {static_cast<uint32_t>(key_), static_cast<uint32_t>(key_ >> 32)});
  const uint64_t all = (uint64_t{bits[1]} << 32) | bits[0];
  return static_cast<double>(all >> 11) * 0x1p-53;
}

}  // namespace cohort
