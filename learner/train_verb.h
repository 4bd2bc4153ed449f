// What the verbs `train` and `sft` share.
#pragma once

#include <string>
#include <vector>

namespace cohort {

// Parses the flags of `verb` and runs the config they name. Returns the exit
// code: 0 also after an orderly stop by a signal.
int RunTraining(const std::string& verb, const std::string& summary,
                const std::vector<std::string>& args);

}  // namespace cohort
