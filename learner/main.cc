// cohort-learner: graded groups in, new policy versions out.
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "learner/export_verb.h"
#include "learner/inspect_verb.h"
#include "learner/training_library.h"
#include "learner/verbs.h"
#include "proto/flags.h"
#include "proto/log.h"
#include "proto/process.h"

namespace cohort {
namespace {

// A verb of the library, which is loaded for it.
template <auto verb>
int RunLoaded(const std::vector<std::string>& args) {
  const absl::StatusOr<const TrainingLibrary*> library = LoadTrainingLibrary();
  if (!library.ok()) return ExitCode(library.status());
  return ((*library)->*verb)(args);
}

}  // namespace
}  // namespace cohort

int main(int argc, char** argv) {
  using cohort::RunLoaded;
  using cohort::TrainingLibrary;
  cohort::SetLogName("learner");
  cohort::KeepFreedMemory();
  cohort::EndProcess(cohort::RunVerb(
      argc, argv,
      {{"train", "runs all stages of a config", cohort::TrainVerb},
       {"sft", "runs supervised stages", cohort::SftVerb},
       {"export", "writes the completions of a run as rows",
        cohort::ExportVerb},
       {"inspect", "shows the groups of a run", cohort::InspectVerb},
       {"loss", "computes objectives of a file",
        RunLoaded<&TrainingLibrary::loss_verb>},
       {"doctor", "says what this machine has and lacks",
        RunLoaded<&TrainingLibrary::doctor_verb>}}));
}
