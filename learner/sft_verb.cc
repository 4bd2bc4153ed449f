#include <string>
#include <vector>

#include "learner/train_verb.h"
#include "learner/verbs.h"

namespace cohort {

int SftVerb(const std::vector<std::string>& args) {
  return RunTraining("sft", "Runs a config whose stages are all supervised.",
                     args);
}

}  // namespace cohort
