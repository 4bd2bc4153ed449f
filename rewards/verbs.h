// The verbs of cohort-rewards. Each takes the arguments behind its name and
// returns the exit code.
#pragma once

#include <string>
#include <vector>

namespace cohort {

int DoctorVerb(const std::vector<std::string>& args);
int ExecVerb(const std::vector<std::string>& args);
int GradeVerb(const std::vector<std::string>& args);
// For the reward server alone, which starts it as its child: grades what comes
// over descriptor 0.
inline constexpr char kGradeWorkerVerb[] = "grade-worker";
int GradeWorkerVerb(const std::vector<std::string>& args);

int RewardServerVerb(const std::vector<std::string>& args);

}  // namespace cohort
