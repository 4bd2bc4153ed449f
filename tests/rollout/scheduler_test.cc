#include "rollout/scheduler.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "gmock/gmock.h"

namespace cohort {
namespace {

std::unique_ptr<PromptUnderWay> MakePrompt(int prompt_tokens, int group_size,
                                           int64_t max_completion_tokens) {
  auto prompt = std::make_unique<PromptUnderWay>();
  for (int i = 0; i < prompt_tokens; ++i) {
    prompt->lease.mutable_prompt()->add_tokens(i);
  }
  prompt->max_completion_tokens = max_completion_tokens;
  prompt->unfinished = group_size;
  for (int member = 0; member < group_size; ++member) {
    prompt->members.push_back({.prompt = prompt.get(),
                               .member = member,
                               .random = TokenRandom(0, Occurrence(), member)});
  }
  return prompt;
}

// Plays the engine: gives every planned sequence a token and finishes it at its
// length. Writes to blocks are checked: nobody may write to another's.
class FakeEngine {
 public:
  explicit FakeEngine(const SchedulerSettings& settings)
      : scheduler_(settings) {}

  PromptUnderWay* Add(int prompt_tokens, const std::vector<int>& lengths,
                      int64_t max_completion_tokens) {
    prompts_.push_back(MakePrompt(prompt_tokens,
                                  static_cast<int>(lengths.size()),
                                  max_completion_tokens));
    PromptUnderWay* const prompt = prompts_.back().get();
    for (size_t i = 0; i < lengths.size(); ++i) {
      length_[&prompt->members[i]] = lengths[i];
    }
    scheduler_.Add(prompt);
    left_ += static_cast<int>(lengths.size());
    return prompt;
  }

  // Returns how many sequences sampled a token.
  int Step() {
    const StepPlan plan = scheduler_.Plan();
    for (PromptUnderWay* prompt : plan.prefill) {
      ++prefills_;
      for (Sequence& sequence : prompt->members) Sample(&sequence);
    }
    for (const Sequence* sequence : plan.decode)
      CheckOwnsItsLastBlock(plan, sequence);
    for (Sequence* sequence : plan.decode) {
      const bool guessed = sequence->HasRoomForGuess();
      guesses_ += guessed;
      Sample(sequence);
      const bool right = guessed && generator_() % 3 > 0;
      if (right && Runs(*sequence)) Sample(sequence);
      if (Runs(*sequence)) scheduler_.DropGuess(sequence);
    }
    most_running_ =
        std::max(most_running_, static_cast<int64_t>(plan.decode.size()));
    return static_cast<int>(plan.prefill.size() + plan.decode.size());
  }

  int left() const { return left_; }
  int prefills() const { return prefills_; }
  int64_t most_running() const { return most_running_; }
  int guesses() const { return guesses_; }
  Scheduler& scheduler() { return scheduler_; }

 private:
  static bool Runs(const Sequence& sequence) {
    return sequence.state == SequenceState::kRunning;
  }

  void Sample(Sequence* sequence) {
    AppendToken(0, 0, 0, &sequence->trajectory);
    if (sequence->trajectory.tokens_size() < length_[sequence]) return;
    scheduler_.Finish(sequence);
    --left_;
  }

  static void CheckOwnsItsLastBlock(const StepPlan& plan,
                                    const Sequence* sequence) {
    const int32_t block = sequence->table.blocks.back();
    for (const Sequence* other : plan.decode) {
      if (other != sequence) {
        ASSERT_EQ(std::count(other->table.blocks.begin(),
                             other->table.blocks.end(), block),
                  0);
      }
    }
    const int64_t guess = sequence->HasRoomForGuess() ? 1 : 0;
    ASSERT_EQ(
        sequence->table.tokens - guess,
        sequence->prompt->PromptTokens() + sequence->trajectory.tokens_size());
    ASSERT_EQ(static_cast<int64_t>(sequence->table.blocks.size()),
              (sequence->table.tokens + 3) / 4);
  }

  Scheduler scheduler_;
  std::vector<std::unique_ptr<PromptUnderWay>> prompts_;
  std::map<Sequence*, int> length_;
  int left_ = 0;
  int prefills_ = 0;
  int64_t most_running_ = 0;
  int guesses_ = 0;
  std::mt19937 generator_{3};
};

TEST(SchedulerTest, APromptIsPrefilledOnceForItsGroup) {
  FakeEngine engine({.blocks = 100, .block_tokens = 4});
  PromptUnderWay* const prompt = engine.Add(9, {5, 5, 5, 5}, 8);
  engine.Step();
  EXPECT_EQ(engine.prefills(), 1);
  EXPECT_EQ(engine.scheduler().blocks().free_blocks(), 97);
  engine.Step();
  // Two full blocks are shared; three members copied the partial one, the last
  // took it over.
  EXPECT_EQ(engine.scheduler().blocks().free_blocks(), 100 - 2 - 4);
  for (const Sequence& sequence : prompt->members) {
    EXPECT_EQ(sequence.table.blocks[0], prompt->members[0].table.blocks[0]);
    EXPECT_EQ(sequence.table.blocks[1], prompt->members[0].table.blocks[1]);
  }
}

TEST(SchedulerTest, WaitingPromptsArePrefilledTogetherUpToTheTokenBudget) {
  FakeEngine engine({.blocks = 100, .block_tokens = 4, .prefill_tokens = 20});
  for (int i = 0; i < 3; ++i) engine.Add(8, {2}, 8);
  EXPECT_EQ(engine.scheduler().Plan().prefill.size(), 2u);
}

TEST(SchedulerTest, AFinishedSequenceLeavesAtOnce) {
  FakeEngine engine({.blocks = 100, .block_tokens = 4});
  engine.Add(4, {1, 2, 3}, 8);
  EXPECT_EQ(engine.Step(), 1);  // The prefill.
  EXPECT_EQ(engine.Step(), 2);
  EXPECT_EQ(engine.Step(), 1);
  EXPECT_EQ(engine.left(), 0);
  EXPECT_EQ(engine.scheduler().blocks().free_blocks(), 100);
}

TEST(SchedulerTest, NoMoreThanMaxSequencesRun) {
  FakeEngine engine({.blocks = 100, .block_tokens = 4, .max_sequences = 3});
  engine.Add(5, {4, 4, 4, 4, 4, 4, 4}, 8);
  engine.Add(5, {4, 4}, 8);
  while (engine.left() > 0) ASSERT_GT(engine.Step(), 0);
  EXPECT_EQ(engine.most_running(), 3);
  EXPECT_EQ(engine.prefills(), 2);
  EXPECT_EQ(engine.scheduler().blocks().free_blocks(), 100);
}

TEST(SchedulerTest, WhatCanNeverFitIsKnownBefore) {
  const Scheduler scheduler({.blocks = 4, .block_tokens = 4});
  EXPECT_TRUE(scheduler.Fits(8, 9));    // 16 tokens are cached.
  EXPECT_FALSE(scheduler.Fits(8, 10));  // 17.
  // The partial block may have to be copied.
  EXPECT_TRUE(scheduler.Fits(5, 8));
  EXPECT_FALSE(scheduler.Fits(5, 9));
}

// With a cache that holds little more than one completion, everybody waits and
// nobody fails, whatever the lengths turn out to be.
// The room of guesses is taken from what is left, and given back.
void ExpectExhaustionIsSurvived(bool draft) {
  std::mt19937 generator(1);
  int guesses = 0;
  const auto random = [&] { return static_cast<int>(generator() >> 8); };
  for (int round = 0; round < 200; ++round) {
    const int64_t blocks = 10 + random() % 20;
    FakeEngine engine({.blocks = blocks,
                       .block_tokens = 4,
                       .max_sequences = 1 + random() % 20,
                       .draft = draft});
    for (int prompt = 0; prompt < 6; ++prompt) {
      std::vector<int> lengths(static_cast<size_t>(1 + random() % 6));
      for (int& length : lengths) length = 1 + random() % 20;
      engine.Add(1 + random() % 13, lengths, 20);
    }
    for (int steps = 0; engine.left() > 0; ++steps) {
      ASSERT_GT(engine.Step(), 0) << "round " << round;
      ASSERT_LT(steps, 2000);
    }
    ASSERT_EQ(engine.scheduler().blocks().free_blocks(), blocks);
    guesses += engine.guesses();
  }
  EXPECT_EQ(guesses > 0, draft);
}

TEST(SchedulerTest, ExhaustionMakesSequencesWaitAndNeverFails) {
  ExpectExhaustionIsSurvived(/*draft=*/false);
}

TEST(SchedulerTest, ExhaustionWithGuessesLikewise) {
  ExpectExhaustionIsSurvived(/*draft=*/true);
}

TEST(SchedulerTest, AGuessIsGivenRoomWhereItCanSpareAStep) {
  FakeEngine engine({.blocks = 100, .block_tokens = 4, .draft = true});
  PromptUnderWay* const prompt = engine.Add(4, {9}, 3);
  Scheduler& scheduler = engine.scheduler();
  scheduler.Plan();
  Sequence* const sequence = &prompt->members[0];
  AppendToken(0, 0, 0, &sequence->trajectory);
  // The third token is the last: it may be guessed at, the fourth may not.
  scheduler.Plan();
  EXPECT_TRUE(sequence->HasRoomForGuess());
  AppendToken(0, 0, 0, &sequence->trajectory);
  scheduler.DropGuess(sequence);
  EXPECT_EQ(sequence->table.tokens, 5);
  scheduler.Plan();
  EXPECT_FALSE(sequence->HasRoomForGuess());
}

}  // namespace
}  // namespace cohort
