#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "configs/config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr absl::StatusCode kWrong = absl::StatusCode::kInvalidArgument;

// A valid config that ends with one stage; what a case adds stands before it.
std::string With(const std::string& sections) {
  return absl::StrCat(sections, "\nstages:\n  - {kind: rl, steps: 1}\n");
}

absl::Status Error(const std::string& yaml,
                   const std::vector<std::string>& overrides = {}) {
  return ParseConfig(yaml, "c.yaml", overrides).status();
}

TEST(ConfigErrorsTest, AnExportThatCanHoldNothingIsRefused) {
  EXPECT_THAT(Error(With("export: {min_pass_rate: 0.9, max_pass_rate: 0.1}")),
              StatusIs(kWrong,
                       "c.yaml:1: export.min_pass_rate 0.9 is above "
                       "max_pass_rate 0.1"));
  EXPECT_THAT(Error(With("\nexport:\n  min_completion_tokens: 9\n"
                         "  max_completion_tokens: 8")),
              StatusIs(kWrong, HasSubstr("min_completion_tokens 9 is above")));
  EXPECT_THAT(Error(With("export: {file: out.parquet}")),
              StatusIs(kWrong, HasSubstr("export.file must end in .jsonl")));
  EXPECT_THAT(Error(With("export: {language: latin}")),
              StatusIs(kWrong, HasSubstr("export.language must be one of")));
}

TEST(ConfigErrorsTest, UnknownKeysNameTheNearest) {
  struct Case {
    std::string yaml;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {"learner:\n  lr: 1",
            "c.yaml:2: unknown key 'lr' in learner; nearest is "
            "'learning_rate'"},
           {"learner:\n\n  learning_rat: 1",
            "c.yaml:3: unknown key 'learning_rat' in learner; nearest is "
            "'learning_rate'"},
           {"rollout: {max_tokens: 1}",
            "c.yaml:1: unknown key 'max_tokens' in rollout; nearest is "
            "'max_completion_tokens'"},
           {"rolout: {}",
            "c.yaml:1: unknown key 'rolout' at the top level; nearest is "
            "'rollout'"},
           {"rollout: {learning_rate: 1}",
            "c.yaml:1: unknown key 'learning_rate' in rollout; nearest is "
            "'learner.learning_rate'"},
           {"learner: {prompts: [{file: a, wieght: 2}]}",
            "c.yaml:1: unknown key 'wieght' in learner.prompts.0; nearest is "
            "'weight'"},
           {"learner: {prompts: {file: a, fields: {promt: b}}}",
            "c.yaml:1: unknown key 'promt' in learner.prompts.fields; nearest "
            "is 'prompt'"}}) {
    EXPECT_THAT(Error(With(c.yaml)), StatusIs(kWrong, c.message));
  }
  EXPECT_THAT(Error("stages:\n  - kind: rl\n    step: 1"),
              StatusIs(kWrong,
                       "c.yaml:3: unknown key 'step' in stages.0; nearest is "
                       "'steps'"));
  EXPECT_THAT(Error("stages:\n  - {kind: rl, steps: 1, prompts: a}"),
              StatusIs(kWrong,
                       "c.yaml:2: unknown key 'prompts' in stages.0; nearest "
                       "is 'learner.prompts'"));
}

TEST(ConfigErrorsTest, WrongTypesNameTheKeyAndTheLine) {
  struct Case {
    std::string yaml;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {"run: {seed: 1.5}", "run.seed must be a whole number, is '1.5'"},
           {"run: {seed: '1'}", "run.seed must be a whole number, is \"1\""},
           {"model: {allow_nonfinite: yes}",
            "model.allow_nonfinite must be true or false, is 'yes'"},
           {"run: {seed: }", "run.seed must be a whole number, is empty"},
           {"run: {seed: 99999999999999999999}", "run.seed must be a whole"},
           {"run: {dir: [a]}", "run.dir must be a text, is a list"},
           {"run: 3", "run must be a map, is '3'"},
           {"rollout: {top_p: high}", "rollout.top_p must be a number"},
           {"rollout: {top_p: nan}", "rollout.top_p must be a number"},
           {"rollout: {temperature: inf}", "must be a number, is 'inf'"},
           {"rollout: {stop: '\\n'}", "rollout.stop must be a list of texts"},
           {"rollout: {stop: ['']}", "rollout.stop.0 must be a text"},
           {"rollout: {lease_timeout: 30}",
            "rollout.lease_timeout must be a duration such as 30s"},
           {"rollout: {lease_timeout: inf}", "must be a duration"},
           {"learner: {prompts: {file: [a]}}", "learner.prompts.file must be"},
           {"learner: {prompts: {verifier: math}}",
            "learner.prompts must be the name of a file"},
           {"learner: {prompts: }", "learner.prompts must be a file"}}) {
    EXPECT_THAT(
        Error(With(c.yaml)),
        StatusIs(kWrong, AllOf(StartsWith("c.yaml:1: "), HasSubstr(c.message))))
        << c.yaml;
  }
  EXPECT_THAT(Error("stages: 3"),
              StatusIs(kWrong, HasSubstr("stages must be a list, is '3'")));
  EXPECT_THAT(Error("stages:\n- rl"),
              StatusIs(kWrong, "c.yaml:2: stages.0 must be a map, is 'rl'"));
  EXPECT_THAT(Error("- a"), StatusIs(kWrong, HasSubstr("must be a map")));
}

TEST(ConfigErrorsTest, ImpossibleValuesNameTheLimit) {
  struct Case {
    std::string yaml;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {"rollout: {top_p: 0}",
            "rollout.top_p must be above 0 and at most 1, is '0'"},
           {"rollout: {top_p: 1.01}", "rollout.top_p must be above 0"},
           {"rollout: {temperature: -0.1}", "must be at least 0, is '-0.1'"},
           {"rollout: {max_completion_tokens: 0}", "must be at least 1"},
           {"rollout: {max_completion_tokens: 4294967297}",
            "must be at most 2147483647"},
           {"rollout: {lease_timeout: -3s}", "must be above 0"},
           {"learner: {prompts_per_step: 0}", "must be at least 1"},
           {"learner: {beta2: 1}", "must be at least 0 and below 1"},
           {"learner: {kl_weight: -1}", "must be at least 0"},
           {"learner: {schedule: exponential}",
            "learner.schedule must be one of constant, linear, cosine, is "
            "'exponential'"},
           {"model: {init: zeros}",
            "model.init must be one of \"\", fan_in, normal, is 'zeros'"},
           {"run: {local_workers: -1}", "must be at least 0"},
           {"learner: {dual_clip: 0.5}", "learner.dual_clip must be above 1"},
           {"learner: {prompts_per_step: 2, minibatches: 3}",
            "learner.minibatches must be at most prompts_per_step (2), is 3"},
           {"rollout: {temperature: 0}",
            "rollout.temperature must be above 0 in an rl stage"},
           {"rollout: {group_size: 1}",
            "rollout.group_size must be at least 2 in an rl stage"}}) {
    EXPECT_THAT(
        Error(With(c.yaml)),
        StatusIs(kWrong, AllOf(StartsWith("c.yaml:1: "), HasSubstr(c.message))))
        << c.yaml;
  }
}

TEST(ConfigErrorsTest, ObjectivesThatContradictThemselvesAreRefusedByName) {
  struct Case {
    std::string learner;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {"objective: cispo, dual_clip: 3",
            "learner.dual_clip bounds the ratio of objective: clip"},
           {"clip_high: 10, dual_clip: 3",
            "learner.dual_clip must be above 1 + clip_high (11)"},
           {"objective: cispo, ratio_level: sequence",
            "learner.ratio_level sequence has no meaning under objective: "
            "cispo"},
           {"ratio_level: product, aggregation: token_mean",
            "learner.aggregation must be sequence_mean under ratio_level: "
            "product"},
           {"advantage: reinforce_pp, refill_groups: 1",
            "learner.refill_groups must be 0 under advantage: reinforce_pp"},
           {"kl_weight: 0, reference_refresh_steps: 5",
            "learner.reference_refresh_steps replaces a reference"}}) {
    EXPECT_THAT(
        Error(With(absl::StrCat("learner: {", c.learner, "}"))),
        StatusIs(kWrong, HasSubstr(absl::StrCat("c.yaml:1: ", c.message))));
  }
}

TEST(ConfigErrorsTest, PartsOfTheRewardAreChecked) {
  struct Case {
    std::string rewards;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {"length_weight: 1", "rewards.overlong_tokens must be above 0"},
           {"length_weight: 1, overlong_tokens: 1024",
            "below max_completion_tokens (1024)"},
           {"schedule: {length_weight: \"5: 1\"}",
            "rewards.overlong_tokens must be above 0"},
           {"schedule: {lenght_weight: \"5: 1\"}",
            "rewards.schedule.lenght_weight is no weight of a reward"},
           {"schedule: {format_weight: \"5\"}",
            "rewards.schedule.format_weight '5' is not \"step: weight\""},
           {"schedule: {format_weight: \"5: 1, 5: 2\"}",
            "step 5 does not come after step 5"}}) {
    EXPECT_THAT(Error(With(absl::StrCat("rewards: {", c.rewards, "}"))),
                StatusIs(kWrong, HasSubstr(c.message)));
  }
  COHORT_EXPECT_OK(
      Error(With("rewards: {length_weight: 1, length: effort, schedule: "
                 "{accuracy_weight: \"0: 1, 10: 0.5\"}}")));
}

TEST(ConfigErrorsTest, AStageIsNamedWhereItStatesTheValueItself) {
  EXPECT_THAT(
      Error("rollout: {group_size: 4}\nstages:\n  - kind: rl\n"
            "    steps: 1\n    rollout:\n      group_size: 1\n"),
      StatusIs(kWrong, StartsWith("c.yaml:6: stages.0.rollout.group_size must "
                                  "be at least 2")));
}

TEST(ConfigErrorsTest, AGroupOfOneIsFineWhereNothingIsLearntFromIt) {
  COHORT_EXPECT_OK(
      Error("rollout: {group_size: 1}\nstages:\n  - {kind: sft, steps: 1}\n"));
}

TEST(ConfigErrorsTest, StagesMustBeThereAndBuilt) {
  EXPECT_THAT(Error(""),
              StatusIs(kWrong, "c.yaml: stages is missing or empty"));
  EXPECT_THAT(Error("stages: []"),
              StatusIs(kWrong, "c.yaml: stages is missing or empty"));
  EXPECT_THAT(
      Error("stages:\n  - steps: 1"),
      StatusIs(kWrong, "c.yaml:2: stages.0.kind is missing: sft or rl"));
  EXPECT_THAT(Error("stages:\n  - kind: rl"),
              StatusIs(kWrong, "c.yaml:2: stages.0.steps is missing"));
  EXPECT_THAT(
      Error("stages:\n  - {kind: rl, steps: 0}"),
      StatusIs(kWrong, "c.yaml:2: stages.0.steps must be at least 1, is '0'"));
  for (const std::string kind : {"sample", "mix", "distill"}) {
    EXPECT_THAT(
        Error(absl::StrCat("stages:\n  - {kind: ", kind, ", steps: 1}")),
        StatusIs(kWrong, absl::StrCat("c.yaml:2: stages.0.kind ", kind,
                                      " is not built yet; there are sft and "
                                      "rl")));
  }
  EXPECT_THAT(Error("stages:\n  - {kind: ppo, steps: 1}"),
              StatusIs(kWrong,
                       "c.yaml:2: stages.0.kind must be one of sft, rl, is "
                       "'ppo'"));
}

TEST(ConfigErrorsTest, AnUnknownMathsPolicyIsNamedWhereItIsStated) {
  EXPECT_THAT(Error(With("rewards:\n  math_policy: core, lenient")),
              StatusIs(kWrong, AllOf(StartsWith("c.yaml:2: rewards.math_policy "
                                                "is refused: no maths policy "
                                                "'lenient'; known: "),
                                     HasSubstr("unit-conversion"))));
  COHORT_EXPECT_OK(Error(With("rewards: {math_policy: 'ordered-list, core'}")));
}

TEST(ConfigErrorsTest, StageNamesAreUniqueAndFitForFiles) {
  EXPECT_THAT(Error("stages:\n  - {kind: rl, steps: 1, name: a}\n"
                    "  - {kind: rl, steps: 1, name: a}"),
              StatusIs(kWrong,
                       "c.yaml:3: stages.1.name 'a' is taken by a stage "
                       "before"));
  EXPECT_THAT(Error("stages:\n  - {kind: rl, steps: 1, name: a/b}"),
              StatusIs(kWrong, HasSubstr("c.yaml:2: stages.0.name must be")));
}

TEST(ConfigErrorsTest, OverridesAreNamedByTheirText) {
  struct Case {
    std::string override_text;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {"rollout.top_p=1.5", ": rollout.top_p must be above 0"},
           {"rollout.group_size=1", ": rollout.group_size must be at least 2"},
           {"learner.no_such=1", ": unknown key 'no_such' in learner"},
           {"lerner.threads=1",
            ": unknown key 'lerner' at the top level; nearest is 'learner'"},
           {"run.seed", ": expected key=value"},
           {"run..seed=1", ": a part of the key is empty"},
           {"=1", ": a part of the key is empty"},
           {"run.seed.x=1", ": run.seed is a value and has no 'x'"},
           {"stages.1.steps=2",
            ": stages is a list of 1, counted from 0, and has no '1'"},
           {"stages.rl.steps=2", ": stages is a list of 1"},
           {"run.dir=[", ": value:1: not YAML"},
           {"run.seed=", ": run.seed must be a whole number, is \"\""}}) {
    EXPECT_THAT(Error(With("run: {seed: 3}"), {c.override_text}),
                StatusIs(kWrong, StartsWith(absl::StrCat(
                                     "--set ", c.override_text, c.message))));
  }
}

TEST(ConfigErrorsTest, AnOverrideInsideWhatAStageStatesItselfIsAmbiguous) {
  EXPECT_THAT(
      Error("learner: {prompts: [a]}\nstages:\n"
            "  - {kind: rl, steps: 1, learner: {prompts: [b]}}",
            {"learner.prompts.0=c"}),
      StatusIs(kWrong,
               "--set learner.prompts.0=c: stages.0 states learner.prompts "
               "itself; set stages.0.learner.prompts.0"));
}

TEST(ConfigErrorsTest, AMissingFileIsNotFound) {
  EXPECT_THAT(LoadConfig("configs/none.yaml", {}),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("configs/none.yaml: No such file")));
  EXPECT_THAT(LoadConfig("configs", {}).status(), Not(IsOk()));
}

TEST(ConfigErrorsTest, TrainingNeedsACheckpointAndSomethingToLearnFrom) {
  const std::string yaml =
      "model: {checkpoint: m}\nlearner: {corpus: c}\nstages:\n"
      "  - {kind: sft, steps: 1}\n  - {kind: rl, steps: 1}\n";
  const auto check = [&yaml](const std::vector<std::string>& overrides) {
    return CheckTrainable(*ParseConfig(yaml, "c.yaml", overrides));
  };
  EXPECT_THAT(check({}),
              StatusIs(kWrong, HasSubstr("stages.1.learner.prompts is")));
  EXPECT_THAT(check({"learner.prompts=p", "learner.corpus="}),
              StatusIs(kWrong, HasSubstr("stages.0.learner.corpus is")));
  EXPECT_THAT(check({"learner.prompts=p", "model.checkpoint="}),
              StatusIs(kWrong, "model.checkpoint is missing"));
  COHORT_EXPECT_OK(check({"learner.prompts=p"}));
}

}  // namespace
}  // namespace cohort
