// cohort-learner: graded groups in, new policy versions out.
#include "learner/inspect_verb.h"
#include "learner/verbs.h"
#include "proto/flags.h"
#include "proto/log.h"

int main(int argc, char** argv) {
  cohort::SetLogName("learner");
  return cohort::RunVerb(
      argc, argv,
      {{"train", "runs all stages of a config", cohort::TrainVerb},
       {"sft", "runs supervised stages", cohort::SftVerb},
       {"inspect", "shows the groups of a run", cohort::InspectVerb},
       {"loss", "computes objectives of a file", cohort::LossVerb},
       {"doctor", "says what this machine has and lacks", cohort::DoctorVerb}});
}
