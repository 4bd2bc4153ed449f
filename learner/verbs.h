// The verbs of cohort-learner that begin without LibTorch. Each takes the
// arguments behind its name and returns the exit code.
#pragma once

#include <string>
#include <vector>

namespace cohort {

int TrainVerb(const std::vector<std::string>& args);
int SftVerb(const std::vector<std::string>& args);

}  // namespace cohort
