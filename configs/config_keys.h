// The names of keys, and which of them somebody may have meant.
#pragma once

#include <string>
#include <vector>

#include "configs/config_fields.h"

namespace cohort {

// The keys of one section, in order.
template <typename Section>
std::vector<std::string> KeysOf(const Section& section) {
  std::vector<std::string> keys;
  const auto list = [&keys](const char* key, const auto&, const Limit& = {}) {
    keys.push_back(key);
  };
  Visit(list, section);
  return keys;
}

// The key that the writer of `key` may have meant: with its section where that
// is another's ("learner.prompts"), of `known` otherwise. lr is learning_rate,
// kl is kl_weight; then the one with the fewest changed letters.
std::string NearestKey(const std::string& key,
                       const std::vector<std::string>& known);

}  // namespace cohort
