#include "sandbox/language.h"

#include <unistd.h>

#include <algorithm>

namespace cohort {

const Language* LanguageTable::Find(const std::string& name) const {
  for (const Language& language : languages) {
    if (language.name == name ||
        std::find(language.aliases.begin(), language.aliases.end(), name) !=
            language.aliases.end()) {
      return &language;
    }
  }
  return nullptr;
}

std::string MissingTool(const Language& language) {
  for (const std::string& tool : language.needs) {
    if (access(tool.c_str(), X_OK) != 0) return tool;
  }
  return "";
}

}  // namespace cohort
