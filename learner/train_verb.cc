#include "learner/train_verb.h"

#include <cstdio>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "configs/config.h"
#include "learner/run_signal.h"
#include "learner/run_start.h"
#include "learner/training_library.h"
#include "learner/verbs.h"
#include "proto/flags.h"
#include "proto/log.h"
#include "proto/shutdown.h"
#include "proto/status.h"

namespace cohort {
namespace {

struct TrainFlags {
  std::string config;
  std::vector<std::string> set;
  bool resume = false;
  bool dry_run = false;
};

absl::Status CheckKinds(const Config& config, const std::string& verb) {
  if (verb != "sft") return absl::OkStatus();
  for (const StageConfig& stage : config.stages) {
    if (stage.kind != "sft") {
      return absl::InvalidArgumentError(
          absl::StrCat("stage ", stage.name, " is of kind ", stage.kind,
                       ": the verb sft takes sft stages only, use train"));
    }
  }
  return absl::OkStatus();
}

absl::Status RunToEnd(const std::string& verb, const TrainFlags& flags,
                      const Config& config, RunSignal* signal) {
  COHORT_ASSIGN_OR_RETURN(RunStart start,
                          StartRun(config, flags.resume, signal));
  COHORT_ASSIGN_OR_RETURN(const TrainingLibrary* const library,
                          LoadTrainingLibrary());
  COHORT_ASSIGN_OR_RETURN(const RunEnd end, library->run_training(&start));
  if (end.finished) return absl::OkStatus();
  std::string again = absl::StrCat("cohort ", verb, " ", flags.config);
  for (const std::string& set : flags.set) {
    absl::StrAppend(&again, " --set '", set, "'");
  }
  std::fprintf(stderr,
               "cohort: stopped after step %lld; continue with: %s --resume\n",
               static_cast<long long>(end.step), again.c_str());
  return absl::OkStatus();
}

absl::Status Train(const std::string& verb, const TrainFlags& flags) {
  COHORT_ASSIGN_OR_RETURN(const Config config,
                          LoadConfig(flags.config, flags.set));
  COHORT_RETURN_IF_ERROR(CheckKinds(config, verb));
  COHORT_RETURN_IF_ERROR(CheckTrainable(config));
  if (flags.dry_run) {
    COHORT_ASSIGN_OR_RETURN(const TrainingLibrary* const library,
                            LoadTrainingLibrary());
    COHORT_ASSIGN_OR_RETURN(const std::string memory,
                            library->planned_memory(config));
    std::printf("%s\n%s", PrintConfig(config).c_str(), memory.c_str());
    return absl::OkStatus();
  }

  Shutdown shutdown;
  RunSignal signal;
  const std::jthread watcher([&shutdown, &signal] {
    shutdown.Wait();
    signal.Stop();
  });
  const absl::Status status = RunToEnd(verb, flags, config, &signal);
  shutdown.Request();
  return status;
}

}  // namespace

int RunTraining(const std::string& verb, const std::string& summary,
                const std::vector<std::string>& args) {
  TrainFlags flags;
  FlagParser parser(verb, summary);
  parser.Positional("CONFIG", &flags.config, "YAML file of the run");
  parser.Flag("set", &flags.set, "KEY=VALUE",
              "overrides a key of the config; may be given often");
  parser.Switch("resume", &flags.resume,
                "continue the run in run.dir, or begin it");
  parser.Switch("dry-run", &flags.dry_run,
                "print the resolved config and the planned memory, start "
                "nothing");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  return ExitCode(Train(verb, flags));
}

int TrainVerb(const std::vector<std::string>& args) {
  return RunTraining("train", "Runs all stages of a config.", args);
}

}  // namespace cohort
