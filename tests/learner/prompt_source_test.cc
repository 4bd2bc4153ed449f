#include "learner/prompt_source.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

PromptSet MakeSet(const std::string& name, int size, double weight = 1.0) {
  PromptSet set{.file = name, .weight = weight, .prompts = {}};
  for (int i = 0; i < size; ++i) {
    set.prompts.emplace_back().set_id(absl::StrCat(name, i));
  }
  return set;
}

std::vector<std::string> Ids(const std::vector<SourcedPrompt>& taken) {
  std::vector<std::string> ids;
  for (const SourcedPrompt& each : taken) {
    ids.push_back(GroupId(each.occurrence));
  }
  return ids;
}

TEST(PromptSourceTest, AnEpochTakesEveryPromptOnce) {
  PromptSource source({MakeSet("a", 50)}, 17, "rl");
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::set<std::string> seen;
    for (const SourcedPrompt& each : source.Take(50)) {
      EXPECT_EQ(each.occurrence.occurrence(), epoch);
      EXPECT_EQ(each.prompt.id(), each.occurrence.prompt_id());
      seen.insert(each.prompt.id());
    }
    EXPECT_THAT(seen, SizeIs(50));
  }
}

TEST(PromptSourceTest, OrderDependsOnSeedStageAndEpoch) {
  const auto order = [](uint64_t seed, const std::string& stage, int skip) {
    PromptSource source({MakeSet("a", 30)}, seed, stage);
    source.Take(skip);
    std::vector<std::string> ids;
    for (const SourcedPrompt& each : source.Take(30)) {
      ids.push_back(each.prompt.id());
    }
    return ids;
  };
  EXPECT_EQ(order(1, "rl", 0), order(1, "rl", 0));
  EXPECT_NE(order(1, "rl", 0), order(2, "rl", 0));
  EXPECT_NE(order(1, "rl", 0), order(1, "rl2", 0));
  EXPECT_NE(order(1, "rl", 0), order(1, "rl", 30));
  std::vector<std::string> in_file_order = order(1, "rl", 0);
  EXPECT_FALSE(std::is_sorted(in_file_order.begin(), in_file_order.end()));
}

// A shuffle must not favour any place: over many epochs every prompt comes
// first about equally often. 200 epochs of 4, so 50 each with a deviation of
// 6.1; the bound is five of them.
TEST(PromptSourceTest, EveryPromptComesFirstEquallyOften) {
  PromptSource source({MakeSet("a", 4)}, 3, "rl");
  std::map<std::string, int> first;
  for (int epoch = 0; epoch < 200; ++epoch) {
    ++first[source.Take(4).front().prompt.id()];
  }
  for (const auto& [id, count] : first) EXPECT_NEAR(count, 50, 31) << id;
  EXPECT_THAT(first, SizeIs(4));
}

TEST(PromptSourceTest, AMixFollowsItsWeightsAtEveryMoment) {
  PromptSource source({MakeSet("a", 1000, 3), MakeSet("b", 7, 1)}, 5, "rl");
  std::map<char, int> taken;
  for (int n = 1; n <= 400; ++n) {
    ++taken[source.Take(1).front().prompt.id()[0]];
    EXPECT_NEAR(taken['a'], 0.75 * n, 1.0);
  }
  EXPECT_EQ(taken['b'], 100);
}

TEST(PromptSourceTest, RestoredSourceGoesOnWhereItStood) {
  PromptSource whole({MakeSet("a", 10, 2), MakeSet("b", 3, 1)}, 9, "rl");
  whole.Take(25);
  const std::string state = whole.SaveState();

  PromptSource resumed({MakeSet("a", 10, 2), MakeSet("b", 3, 1)}, 9, "rl");
  COHORT_ASSERT_OK(resumed.RestoreState(state));
  EXPECT_EQ(resumed.taken(), 25);
  EXPECT_EQ(Ids(resumed.Take(40)), Ids(whole.Take(40)));
}

TEST(PromptSourceTest, GroupIdsNeverRepeat) {
  PromptSource source({MakeSet("a", 5, 1), MakeSet("b", 3, 2)}, 9, "rl");
  std::set<std::string> ids;
  for (const std::string& id : Ids(source.Take(200))) ids.insert(id);
  EXPECT_THAT(ids, SizeIs(200));
}

TEST(PromptSourceTest, OtherPromptsThanTheRunBeganWithAreRefused) {
  PromptSource source({MakeSet("a", 10)}, 9, "rl");
  const std::string state = source.SaveState();
  PromptSource changed({MakeSet("a", 11)}, 9, "rl");
  EXPECT_THAT(changed.RestoreState(state),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("a:")));
  PromptSource more({MakeSet("a", 10), MakeSet("b", 1)}, 9, "rl");
  EXPECT_THAT(more.RestoreState(state),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("2")));
  EXPECT_THAT(source.RestoreState("{}"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("state")));
  EXPECT_THAT(source.RestoreState("not json"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("state")));
}

class LoadPromptSetsTest : public testing::Test {
 protected:
  TempDir dir_;
  // One token per character.
  PromptLoading loading_{.tokenize =
                             [](const std::string&, Prompt* prompt) {
                               for (const char c : prompt->text()) {
                                 prompt->add_tokens(c);
                               }
                               return absl::OkStatus();
                             },
                         .max_prompt_tokens = 0,
                         .format = "compact"};
};

TEST_F(LoadPromptSetsTest, MapsAFilesOwnFields) {
  const std::string path = dir_.Write(
      "gsm.jsonl",
      "{\"question\": \"2+2\", \"answer\": \"two and two #### 4\"}\n");
  const auto sets = LoadPromptSets(
      {{.file = path, .fields = {{"prompt", "question"}}, .verifier = "math"}},
      loading_);
  COHORT_ASSERT_OK(sets);
  const Prompt& prompt = sets->front().prompts.front();
  EXPECT_EQ(prompt.text(), "2+2");
  EXPECT_EQ(prompt.answer(), "4");
  EXPECT_EQ(prompt.verifier(), "math");
  EXPECT_EQ(prompt.format(), "compact");
  EXPECT_EQ(prompt.id(), path + ":1");
  EXPECT_THAT(prompt.tokens(), ElementsAre('2', '+', '2'));
}

// A chat template sees more of a row than roles and contents.
TEST_F(LoadPromptSetsTest, ChatsReachTheTemplateAsTheyStood) {
  std::vector<std::string> chats;
  loading_.tokenize = [&](const std::string& chat, Prompt* prompt) {
    chats.push_back(chat);
    prompt->add_tokens(1);
    return absl::OkStatus();
  };
  const std::string messages =
      R"([{"role":"assistant","content":null,"tool_calls":[{"b":1,"a":1e2}]},)"
      R"({"role":"tool","content":[{"text":"x"}]}])";
  const std::string own = R"("tools":[{"z":1,"a":2}],"kwargs":{"k":false})";
  const std::string row = "{\"messages\":" + messages + "," + own + "}";
  const std::string plain =
      dir_.Write("a.jsonl", row + "\n{\"prompt\":\"p\"}\n");
  const std::string mapped =
      dir_.Write("b.jsonl", "{\"turns\":" + messages + "," + own +
                                ",\"messages\":\"other\"}\n");
  COHORT_ASSERT_OK(LoadPromptSets(
      {{.file = plain, .fields = {}, .verifier = "exact"}}, loading_));
  EXPECT_THAT(chats, ElementsAre(row, ""));
  chats.clear();
  COHORT_ASSERT_OK(LoadPromptSets({{.file = mapped,
                                    .fields = {{"messages", "turns"}},
                                    .verifier = "exact"}},
                                  loading_));
  ASSERT_THAT(chats, SizeIs(1));
  const auto chat = nlohmann::ordered_json::parse(chats[0]);
  EXPECT_EQ(chat["messages"].dump(),
            nlohmann::ordered_json::parse(messages).dump());
  EXPECT_EQ(chat["tools"].dump(), R"([{"z":1,"a":2}])");
  EXPECT_EQ(chat["kwargs"].dump(), R"({"k":false})");
}

TEST_F(LoadPromptSetsTest, DropsAndCountsPromptsThatAreTooLong) {
  const std::string path =
      dir_.Write("p.jsonl",
                 "{\"id\": \"a\", \"prompt\": \"123\", \"answer\": \"1\"}\n"
                 "{\"id\": \"b\", \"prompt\": \"1234\", \"answer\": \"1\"}\n");
  const auto sets = LoadPromptSets({{.file = path,
                                     .fields = {},
                                     .verifier = "exact",
                                     .max_prompt_tokens = 3}},
                                   loading_);
  COHORT_ASSERT_OK(sets);
  EXPECT_THAT(sets->front().prompts, SizeIs(1));
  EXPECT_EQ(sets->front().dropped_too_long, 1);
}

TEST_F(LoadPromptSetsTest, AllTooLongIsAnErrorThatNamesTheFile) {
  loading_.max_prompt_tokens = 2;
  const std::string path = dir_.Write(
      "p.jsonl", "{\"id\": \"a\", \"prompt\": \"123\", \"answer\": \"1\"}\n");
  EXPECT_THAT(
      LoadPromptSets({{.file = path, .fields = {}, .verifier = "exact"}},
                     loading_),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr(path), HasSubstr("2 tokens"))));
}

TEST_F(LoadPromptSetsTest, AnIdInTwoFilesIsRefused) {
  const std::string row =
      "{\"id\": \"same\", \"prompt\": \"1\", \"answer\": \"1\"}\n";
  const std::string a = dir_.Write("a.jsonl", row);
  const std::string b = dir_.Write("b.jsonl", row);
  EXPECT_THAT(LoadPromptSets({{.file = a, .fields = {}, .verifier = "exact"},
                              {.file = b, .fields = {}, .verifier = "exact"}},
                             loading_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("same"), HasSubstr(a), HasSubstr(b))));
}

TEST_F(LoadPromptSetsTest, ErrorsNameFileAndPrompt) {
  const std::string path = dir_.Write(
      "p.jsonl", "{\"id\": \"a\", \"prompt\": \"1\", \"answer\": \"1\"}\n");
  EXPECT_THAT(LoadPromptSets({{.file = path,
                               .fields = {{"promt", "question"}},
                               .verifier = "exact"}},
                             loading_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr(path), HasSubstr("promt"))));
  loading_.tokenize = [](const std::string&, Prompt*) {
    return absl::InvalidArgumentError("no token for 'x'");
  };
  EXPECT_THAT(
      LoadPromptSets({{.file = path, .fields = {}, .verifier = "exact"}},
                     loading_),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr(path), HasSubstr("prompt a"),
                     HasSubstr("no token"))));
  EXPECT_THAT(LoadPromptSets(
                  {{.file = dir_ / "none.jsonl", .fields = {}, .verifier = ""}},
                  loading_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none.jsonl")));
}

TEST_F(LoadPromptSetsTest, APromptWithoutAVerifierIsRefused) {
  const std::string path =
      dir_.Write("p.jsonl", "{\"id\": \"a\", \"prompt\": \"1\"}\n");
  EXPECT_THAT(
      LoadPromptSets({{.file = path, .fields = {}, .verifier = ""}}, loading_),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr(path), HasSubstr("verifier"))));
}

TEST_F(LoadPromptSetsTest, AMathsPolicyOfThePromptGoesBeforeThatOfTheRun) {
  const std::string file =
      dir_.Write("p.jsonl",
                 R"({"prompt": "a", "verifier": "math", "answer": "1"}
{"prompt": "b", "verifier": "math", "answer": "1", "policy": "ordered-list"}
{"prompt": "c", "verifier": "exact", "answer": "1", "policy": "mine"}
)");
  PromptSetConfig config;
  config.file = file;
  loading_.math_policy = "unit-conversion";
  const auto sets = LoadPromptSets({config}, loading_);
  COHORT_ASSERT_OK(sets);
  const std::vector<Prompt>& prompts = (*sets)[0].prompts;
  EXPECT_EQ(prompts[0].math_policy(), "unit-conversion");
  EXPECT_EQ(prompts[1].math_policy(), "ordered-list");
  EXPECT_EQ(prompts[2].math_policy(), "");
}

}  // namespace
}  // namespace cohort
