// cohort-rollout: samples completions.
#include "proto/flags.h"
#include "proto/log.h"
#include "rollout/verbs.h"

int main(int argc, char** argv) {
  cohort::SetLogName("rollout");
  return cohort::RunVerb(
      argc, argv,
      {{"rollout-worker", "samples groups for a learner, until the run is over",
        cohort::RolloutWorkerVerb},
       {"doctor", "says what this machine has and lacks", cohort::DoctorVerb}});
}
