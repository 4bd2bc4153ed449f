#include "configs/config.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr char kTwoStages[] = R"(
rollout:
  group_size: 8
learner:
  learning_rate: 0.5
  prompts: train.jsonl
stages:
  - kind: sft
    steps: 3
    learner: {corpus: texts.jsonl, learning_rate: 0.25}
  - kind: rl
    steps: 4
    rollout: {temperature: 0.7}
)";

Config Parse(const std::string& yaml,
             const std::vector<std::string>& overrides = {}) {
  absl::StatusOr<Config> config =
      ParseConfig(yaml, "configs/two.yaml", overrides);
  EXPECT_THAT(config, IsOk());
  return config.ok() ? *std::move(config) : Config();
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n');
}

std::vector<std::string> ConfigFiles() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator("configs")) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  return files;
}

TEST(ConfigTest, EveryFileOfOursLoadsAndTrains) {
  ASSERT_THAT(ConfigFiles(), Not(IsEmpty()));
  for (const std::string& file : ConfigFiles()) {
    const absl::StatusOr<Config> config = LoadConfig(file, {});
    COHORT_ASSERT_OK(config);
    COHORT_EXPECT_OK(CheckTrainable(*config)) << file;
  }
}

TEST(ConfigTest, EveryFileOfOursIsTheSameOncePrinted) {
  for (const std::string& file : ConfigFiles()) {
    const absl::StatusOr<Config> config = LoadConfig(file, {});
    COHORT_ASSERT_OK(config);
    EXPECT_THAT(ParseConfig(PrintConfig(*config), "printed", {}),
                IsOkAndHolds(*config))
        << file;
  }
}

// A new knob must show in review: to add one, add its line to the file.
TEST(ConfigTest, TheKeysAreTheFrozenOnes) {
  EXPECT_EQ(ListConfigKeys(), ReadText("tests/data/config_keys.txt"));
}

// Read out of the header itself, since a field that Visit forgets can be set by
// nobody and no other test would miss it.
TEST(ConfigTest, EveryFieldOfTheStructsIsAKey) {
  const std::map<std::string, std::string> sections = {
      {"RunConfig", "run"},         {"ModelSection", "model"},
      {"RolloutConfig", "rollout"}, {"RewardsConfig", "rewards"},
      {"LearnerConfig", "learner"}, {"PromptSetConfig", "learner.prompts.N"}};
  std::set<std::string> keys;
  for (const std::string& line : Lines(ListConfigKeys())) {
    keys.insert(line.substr(0, line.find(' ')));
  }
  const std::string header =
      ReadText("configs/config.h") + ReadText("configs/learner_config.h");
  const std::regex struct_start("^struct (\\w+) \\{");
  const std::regex field("^  \\w.*?(\\w+)( = [^;]+)?;$");
  std::string section;
  int fields = 0;
  for (const std::string& line : Lines(header)) {
    std::smatch match;
    if (std::regex_search(line, match, struct_start)) {
      const auto found = sections.find(match[1]);
      section = found == sections.end() ? "" : found->second;
    } else if (!section.empty() && line.find("operator==") == line.npos &&
               std::regex_search(line, match, field)) {
      ++fields;
      EXPECT_THAT(
          keys, testing::Contains(absl::StrCat(section, ".", match[1].str())));
    }
    if (line == "};") section.clear();
  }
  EXPECT_GT(fields, 60);
}

TEST(ConfigTest, StagesStartAsTheTopLevelAndTakeWhatTheyState) {
  const Config config = Parse(kTwoStages);
  ASSERT_THAT(config.stages, SizeIs(2));
  EXPECT_EQ(config.stages[0].rollout.group_size, 8);
  EXPECT_EQ(config.stages[0].learner.learning_rate, 0.25);
  EXPECT_EQ(config.stages[0].learner.corpus, "texts.jsonl");
  EXPECT_EQ(config.stages[1].learner.learning_rate, 0.5);
  EXPECT_EQ(config.stages[1].rollout.temperature, 0.7);
  EXPECT_EQ(config.stages[1].rollout.group_size, 8);
  EXPECT_EQ(config.rollout.temperature, 1.0);
}

TEST(ConfigTest, TheRunFolderIsNamedAfterTheFile) {
  EXPECT_EQ(Parse(kTwoStages).run.dir, "runs/two");
  EXPECT_EQ(Parse(kTwoStages, {"run.dir=elsewhere"}).run.dir, "elsewhere");
}

TEST(ConfigTest, NamelessStagesAreNumberedWhereTheirKindIsTaken) {
  const Config config = Parse(R"(
stages:
  - {kind: rl, steps: 1}
  - {kind: rl, steps: 1, name: rl2}
  - {kind: rl, steps: 1}
  - {kind: sft, steps: 1}
)");
  EXPECT_THAT(config.stages, ElementsAre(Field(&StageConfig::name, "rl"),
                                         Field(&StageConfig::name, "rl2"),
                                         Field(&StageConfig::name, "rl3"),
                                         Field(&StageConfig::name, "sft")));
}

TEST(ConfigTest, PromptsAreANameOrAMapOrAList) {
  const Config config = Parse(R"(
learner:
  prompts: a.jsonl
  eval_prompts:
    - b.jsonl
    - {file: c.jsonl, fields: {prompt: question}, verifier: math, weight: 0.5}
stages:
  - kind: rl
    steps: 1
    learner:
      prompts: {file: d.jsonl, max_prompt_tokens: 64}
)");
  EXPECT_THAT(config.learner.prompts,
              ElementsAre(Field(&PromptSetConfig::file, "a.jsonl")));
  ASSERT_THAT(config.learner.eval_prompts, SizeIs(2));
  EXPECT_EQ(config.learner.eval_prompts[0].file, "b.jsonl");
  EXPECT_EQ(config.learner.eval_prompts[1].verifier, "math");
  EXPECT_EQ(config.learner.eval_prompts[1].weight, 0.5);
  EXPECT_THAT(config.learner.eval_prompts[1].fields,
              ElementsAre(Pair("prompt", "question")));
  EXPECT_THAT(
      config.stages[0].learner.prompts,
      ElementsAre(AllOf(Field(&PromptSetConfig::file, "d.jsonl"),
                        Field(&PromptSetConfig::max_prompt_tokens, 64))));
}

TEST(ConfigTest, AnEmptySectionStatesNothing) {
  EXPECT_EQ(Parse("learner:\nstages: [{kind: rl, steps: 1}]").learner,
            LearnerConfig());
}

TEST(OverrideTest, ReachesListsByIndex) {
  EXPECT_EQ(Parse(kTwoStages, {"stages.1.steps=20"}).stages[1].steps, 20);
  EXPECT_EQ(Parse(kTwoStages, {"stages.0.learner.learning_rate=0.125"})
                .stages[0]
                .learner.learning_rate,
            0.125);
}

TEST(OverrideTest, OfASectionReachesEveryStage) {
  const Config config =
      Parse(kTwoStages, {"learner.learning_rate=0.75",
                         "learner.prompts=other.jsonl", "run.seed=7"});
  EXPECT_EQ(config.run.seed, 7);
  for (const StageConfig& stage : config.stages) {
    EXPECT_EQ(stage.learner.learning_rate, 0.75);
    EXPECT_THAT(stage.learner.prompts,
                ElementsAre(Field(&PromptSetConfig::file, "other.jsonl")));
  }
  EXPECT_EQ(config.stages[0].learner.corpus, "texts.jsonl");
}

TEST(OverrideTest, TheLastOneCounts) {
  const Config config =
      Parse(kTwoStages, {"learner.learning_rate=0.75",
                         "stages.0.learner.learning_rate=0.125", "run.seed=1",
                         "run.seed=2"});
  EXPECT_EQ(config.stages[0].learner.learning_rate, 0.125);
  EXPECT_EQ(config.stages[1].learner.learning_rate, 0.75);
  EXPECT_EQ(config.run.seed, 2);
}

TEST(OverrideTest, ValuesAreYaml) {
  const Config config = Parse(
      kTwoStages, {"rollout.stop=[\"\\n\", '</answer>']", "rewards.address=",
                   "learner.eval_prompts={file: e.jsonl, verifier: chain}",
                   "model.checkpoint=a=b", "rollout.lease_timeout=1h30m"});
  EXPECT_THAT(config.rollout.stop, ElementsAre("\n", "</answer>"));
  EXPECT_THAT(config.stages[0].rollout.stop, ElementsAre("\n", "</answer>"));
  EXPECT_EQ(config.learner.eval_prompts[0].verifier, "chain");
  EXPECT_EQ(config.model.checkpoint, "a=b");
  EXPECT_EQ(config.rollout.lease_timeout, absl::Minutes(90));
}

// Every struct with odd values, so that the printed text is the harder one.
TEST(PrintTest, OddValuesComeBackExactly) {
  Config config = Parse(kTwoStages);
  config.run.dir = "a \"b\"\\c: {d}, #e\n\tf\x01\x7f";
  config.run.seed = 9007199254740993;
  config.run.listen = "";
  config.model.checkpoint = "null";
  config.model.embedding_std = 0.1 + 0.2;
  config.rollout.stop = {"\n\n", " ", "true", "- x", "\xc3\xa9\xe2\x80\xa8"};
  config.rollout.lease_timeout = absl::Milliseconds(90061001);
  config.learner.learning_rate = 4.9406564584124654e-324;
  config.learner.adam_epsilon = 1e300;
  config.learner.prompts = {{.file = "x, y.jsonl",
                             .fields = {{"prompt", "a: b"}, {"answer", ""}},
                             .verifier = "123",
                             .max_prompt_tokens = 5,
                             .weight = 1.0 / 3}};
  config.stages[0].learner.prompts = {};
  config.stages[0].rewards.timeout = absl::Nanoseconds(1);
  config.stages[1].name = "true";
  EXPECT_THAT(ParseConfig(PrintConfig(config), "printed", {}),
              IsOkAndHolds(config))
      << PrintConfig(config);
}

// YAML 1.1 readers take 1e-06 for a text and 0.5 for a number.
TEST(PrintTest, NumbersHaveAPoint) {
  const std::string text = PrintConfig(Parse(kTwoStages));
  EXPECT_THAT(text, HasSubstr("adam_epsilon: 1.0e-08\n"));
  EXPECT_THAT(text, HasSubstr("temperature: 1.0\n"));
}

TEST(PrintTest, StagesStateWhatDiffersAlone) {
  const std::string text = PrintConfig(Parse(kTwoStages));
  EXPECT_THAT(text.substr(text.find("stages:")), R"(stages:
  - kind: sft
    name: sft
    steps: 3
    learner:
      learning_rate: 0.25
      corpus: texts.jsonl
  - kind: rl
    name: rl
    steps: 4
    rollout:
      temperature: 0.7
)");
}

TEST(PrintTest, ARolloutSectionComesBackAlone) {
  RolloutConfig rollout;
  rollout.stop = {"\n"};
  rollout.top_p = 0.9;
  EXPECT_THAT(ParseRollout(PrintRollout(rollout)), IsOkAndHolds(rollout));
  EXPECT_THAT(ParseRollout("top_q: 1"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "rollout settings:1: unknown key 'top_q' in rollout; "
                       "nearest is 'top_p'"));
}

}  // namespace
}  // namespace cohort
