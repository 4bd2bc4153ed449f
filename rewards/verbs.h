// The verbs of cohort-rewards. Each takes the arguments behind its name and
// returns the exit code.
#pragma once

#include <string>
#include <vector>

namespace cohort {

int DoctorVerb(const std::vector<std::string>& args);
int ExecVerb(const std::vector<std::string>& args);
int GradeVerb(const std::vector<std::string>& args);
int RewardServerVerb(const std::vector<std::string>& args);

}  // namespace cohort
