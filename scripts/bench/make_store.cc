// make_store DIR GROUPS BYTES: a run's folder whose store holds GROUPS groups
// of 16 completions of about BYTES bytes each, drawn from a fixed seed, as a
// run with one token per byte leaves them. Prints the bytes of text.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "learner/experience_store.h"
#include "proto/check.h"

namespace cohort {
namespace {

constexpr int kGroupSize = 16;
constexpr int64_t kPrompts = 4096;  // As many as the demo has.
constexpr int64_t kGroupsPerStep = 32;

// Steps of an addition chain where texts are short, words where they are long.
std::string MakeText(int64_t bytes, std::mt19937_64* random) {
  std::string text = "[";
  const bool words = bytes > 300;
  while (static_cast<int64_t>(text.size()) < bytes) {
    const uint64_t draw = (*random)();
    if (words) {
      // 4096 words, the low ones more often.
      const uint64_t word = (draw % 4096) * (draw >> 32 & 0xfff) >> 12;
      absl::StrAppend(&text, absl::Hex(word * 2654435761 % 1000003), " ");
      if (draw >> 58 == 0) text += "\n\n";
    } else {
      absl::StrAppend(&text, draw % 10, "+", draw / 16 % 10, "=",
                      draw / 256 % 10, ";");
    }
  }
  return text + "]{" + std::to_string((*random)() % 10) + "}";
}

Group MakeGroup(int64_t number, int64_t bytes, std::mt19937_64* random,
                int64_t* text_bytes) {
  Group group;
  Prompt& prompt = *group.mutable_prompt();
  prompt.set_id(absl::StrCat("train-", number % kPrompts));
  prompt.set_text(absl::StrCat("^E", number % kPrompts, "+1-2*3="));
  prompt.set_verifier("chain");
  prompt.set_format("compact");
  group.mutable_occurrence()->set_stage("rl");
  group.mutable_occurrence()->set_prompt_id(prompt.id());
  group.mutable_occurrence()->set_occurrence(number / kPrompts);
  group.set_id(absl::StrCat("rl/", prompt.id(), "/", number / kPrompts));
  for (int member = 0; member < kGroupSize; ++member) {
    Trajectory& trajectory = *group.add_trajectories();
    trajectory.set_text(MakeText(bytes, random));
    *text_bytes += static_cast<int64_t>(trajectory.text().size());
    for (const char c : trajectory.text()) {
      trajectory.add_tokens(c);
      trajectory.add_sampler_logprobs(-0.25f);
    }
    VersionSpan& span = *trajectory.add_versions();
    span.set_version(number / kGroupsPerStep);
    span.set_end(trajectory.tokens_size());
    trajectory.set_finish_reason(FINISH_REASON_STOP);
    const bool right = (*random)() % 2 == 0;
    trajectory.mutable_grade()->set_verdict(right ? VERDICT_CORRECT
                                                  : VERDICT_WRONG);
    trajectory.mutable_grade()->set_score(right ? 1 : 0);
    trajectory.mutable_grade()->set_format(1);
    trajectory.mutable_grade()->set_extracted("7");
    trajectory.set_reward(right ? 1.1 : 0.1);
  }
  return group;
}

void MakeStore(const std::string& folder, int64_t groups, int64_t bytes) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/config.yaml")
      << "model: {checkpoint: none}\nlearner: {prompts: none.jsonl}\n"
         "stages: [{kind: rl, name: rl, steps: 1}]\n";
  auto store = ExperienceStore::Open(folder + "/experience.sqlite");
  COHORT_CHECK(store.ok());
  std::mt19937_64 random(1);
  int64_t text_bytes = 0;
  std::vector<std::string> ids;
  for (int64_t number = 0; number < groups; ++number) {
    const Group group = MakeGroup(number, bytes, &random, &text_bytes);
    COHORT_CHECK((*store)->Append(group).ok());
    ids.push_back(group.id());
    if (number % kGroupsPerStep + 1 < kGroupsPerStep) continue;
    COHORT_CHECK((*store)->MarkTrained(ids, number / kGroupsPerStep + 1).ok());
    ids.clear();
  }
  std::printf("%ld\n", static_cast<long>(text_bytes));
}

}  // namespace
}  // namespace cohort

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: make_store DIR GROUPS BYTES\n");
    return 2;
  }
  cohort::MakeStore(argv[1], std::atoll(argv[2]), std::atoll(argv[3]));
}
