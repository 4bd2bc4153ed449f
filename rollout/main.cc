// cohort-rollout: samples completions, for a learner or for files.
#include "proto/flags.h"
#include "proto/log.h"
#include "proto/process.h"
#include "rollout/verbs.h"

int main(int argc, char** argv) {
  cohort::SetLogName("rollout");
  cohort::KeepFreedMemory();
  const int exit_code = cohort::RunVerb(
      argc, argv,
      {{"rollout-worker", "samples for a learner", cohort::RolloutWorkerVerb},
       {"generate", "completions for the prompts of a file",
        cohort::GenerateVerb},
       {"score", "log-probabilities of the tokens of a file",
        cohort::ScoreVerb},
       {"eval", "how good a model is on graded tasks", cohort::EvalVerb},
       {"tokenize", "texts to tokens, and back", cohort::TokenizeVerb},
       {"doctor", "says what this machine has and lacks", cohort::DoctorVerb}});
  cohort::EndProcess(exit_code);
}
