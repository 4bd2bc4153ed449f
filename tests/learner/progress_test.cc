#include "learner/progress.h"

#include <limits>

#include "gmock/gmock.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(FormatProgressTest, SaysHowFarAndHowWell) {
  EXPECT_EQ(FormatProgress({.stage = "rl",
                            .step = 12,
                            .steps = 40,
                            .loss = kNan,
                            .reward = 0.4123,
                            .completion_tokens = 22.24,
                            .tokens_per_second = 19'640},
                           absl::Seconds(72.4)),
            "rl 12/40  30%  reward 0.412  length 22.2  19.6k tok/s  ETA 1m12s");
  EXPECT_EQ(FormatProgress({.stage = "sft",
                            .step = 1,
                            .steps = 3,
                            .loss = 1.5,
                            .reward = kNan,
                            .completion_tokens = kNan,
                            .tokens_per_second = 950},
                           absl::ZeroDuration()),
            "sft 1/3  33%  loss 1.5000  950 tok/s  ETA 0");
}

class ProgressLineTest : public testing::Test {
 protected:
  std::string ShowTwoSteps(bool is_terminal, int64_t steps_done) {
    const std::string path = dir_ / "out";
    std::FILE* const out = std::fopen(path.c_str(), "w");
    ProgressLine line(out, is_terminal);
    StepProgress step = {.stage = "rl",
                         .step = steps_done + 1,
                         .steps = 10,
                         .loss = kNan,
                         .reward = kNan,
                         .completion_tokens = kNan,
                         .tokens_per_second = kNan};
    line.BeginStage(steps_done, absl::UnixEpoch());
    line.Show(step, absl::UnixEpoch() + absl::Seconds(2));
    ++step.step;
    line.Show(step, absl::UnixEpoch() + absl::Seconds(4));
    line.End();
    std::fclose(out);
    return TempDir::Read(path);
  }

  TempDir dir_;
};

TEST_F(ProgressLineTest, ATerminalSeesOneLine) {
  EXPECT_EQ(ShowTwoSteps(true, 0),
            "\r\x1b[Krl 1/10  10%  ETA 18s\r\x1b[Krl 2/10  20%  ETA 16s\n");
}

TEST_F(ProgressLineTest, AFileGetsALinePerStep) {
  EXPECT_EQ(ShowTwoSteps(false, 0),
            "rl 1/10  10%  ETA 18s\nrl 2/10  20%  ETA 16s\n");
}

// Two seconds a step in this life; the eight before took none of them.
TEST_F(ProgressLineTest, AResumedRunCountsItsOwnTime) {
  EXPECT_EQ(ShowTwoSteps(false, 8),
            "rl 9/10  90%  ETA 2s\nrl 10/10 100%  ETA 0\n");
}

}  // namespace
}  // namespace cohort
