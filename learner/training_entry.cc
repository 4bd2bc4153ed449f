// What libcohort_training.so exports; see learner/training_library.h.
#include "learner/planned_memory.h"
#include "learner/training_library.h"
#include "learner/training_run.h"
#include "learner/training_verbs.h"

extern "C" const cohort::TrainingLibrary* CohortTrainingLibrary();

extern "C" const cohort::TrainingLibrary* CohortTrainingLibrary() {
  static constexpr cohort::TrainingLibrary kLibrary = {
      .run_training = cohort::RunTraining,
      .planned_memory = cohort::PlannedMemory,
      .loss_verb = cohort::LossVerb,
      .doctor_verb = cohort::DoctorVerb};
  return &kLibrary;
}
