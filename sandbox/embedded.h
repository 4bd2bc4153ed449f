// Files of this folder, as texts in the binary.
#pragma once

#include <string_view>

namespace cohort {

extern const std::string_view kZygoteScript;   // zygote.py
extern const std::string_view kLanguagesYaml;  // languages.yaml

}  // namespace cohort
