// cohort-rewards: the verifiable-reward service and its graders over files.
#include "proto/flags.h"
#include "proto/log.h"
#include "rewards/verbs.h"

int main(int argc, char** argv) {
  cohort::SetLogName("rewards");
  return cohort::RunVerb(
      argc, argv,
      {{"reward-server", "serves the graders to rollout workers",
        cohort::RewardServerVerb},
       {"grade", "grades a file of completions", cohort::GradeVerb},
       {"exec", "runs and judges the programs of a manifest", cohort::ExecVerb},
       {cohort::kGradeWorkerVerb, "one grading process of the reward server",
        cohort::GradeWorkerVerb},
       {"doctor", "says what this machine has and lacks", cohort::DoctorVerb}});
}
