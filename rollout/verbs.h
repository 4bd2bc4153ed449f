// The verbs of cohort-rollout. Each takes the arguments behind its name and
// returns the exit code.
#pragma once

#include <string>
#include <vector>

namespace cohort {

int DoctorVerb(const std::vector<std::string>& args);
int EvalVerb(const std::vector<std::string>& args);
int GenerateVerb(const std::vector<std::string>& args);
int RolloutWorkerVerb(const std::vector<std::string>& args);
int ScoreVerb(const std::vector<std::string>& args);
int TokenizeVerb(const std::vector<std::string>& args);

}  // namespace cohort
