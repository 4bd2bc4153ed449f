// The verbs of cohort-learner that need LibTorch. Each takes the arguments
// behind its name and returns the exit code.
#pragma once

#include <string>
#include <vector>

namespace cohort {

int LossVerb(const std::vector<std::string>& args);
int DoctorVerb(const std::vector<std::string>& args);

}  // namespace cohort
