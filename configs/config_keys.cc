#include "configs/config_keys.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "configs/config.h"
#include "proto/flags.h"

namespace cohort {
namespace {

// "learner.prompts" for "prompts"; empty where no section has such a key.
std::string KeyElsewhere(const std::string& key) {
  std::string found;
  const Config config;
  const auto search = [&](const char* name, const auto& section) {
    for (const std::string& known : KeysOf(section)) {
      if (known == key && found.empty()) found = absl::StrCat(name, ".", key);
    }
  };
  VisitSections(search, config);
  return found;
}

bool AreInitials(absl::string_view letters, absl::string_view name) {
  std::string initials;
  for (const absl::string_view word : absl::StrSplit(name, '_')) {
    initials.push_back(word.empty() ? '_' : word.front());
  }
  return letters == initials;
}

bool IsSubsequence(absl::string_view letters, absl::string_view name) {
  for (const char c : name) {
    if (!letters.empty() && letters.front() == c) letters.remove_prefix(1);
  }
  return letters.empty();
}

}  // namespace

std::string NearestKey(const std::string& key,
                       const std::vector<std::string>& known) {
  if (std::string elsewhere = KeyElsewhere(key); !elsewhere.empty()) {
    return elsewhere;
  }
  std::vector<std::string> longer;
  for (const std::string& candidate : known) {
    if (AreInitials(key, candidate)) return candidate;
    if (IsSubsequence(key, candidate)) longer.push_back(candidate);
  }
  return NearestName(key, longer.empty() ? known : longer);
}

}  // namespace cohort
