#include "learner/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "learner/whole_write.h"
#include "nlohmann/json.hpp"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

MetricsRow Row(int64_t step, double reward) {
  MetricsRow row(step, "rl", step);
  row.Set("train/reward_mean", reward);
  return row;
}

std::vector<int64_t> StepsIn(const std::string& path) {
  std::vector<int64_t> steps;
  for (const absl::string_view line :
       absl::StrSplit(TempDir::Read(path), '\n', absl::SkipEmpty())) {
    steps.push_back(nlohmann::json::parse(line)["step"]);
  }
  return steps;
}

TEST(MetricsRowTest, NumbersReadBackAsThemselves) {
  MetricsRow row(3, "rl", 2);
  row.Set("loss/total", 0.1);
  row.Set("loss/kl_nats", 1.0 / 3);
  row.Set("wall_s", 5e-324);
  row.Set("loss/total", 0.2);
  const nlohmann::json json = nlohmann::json::parse(row.ToJson());
  EXPECT_EQ(json["step"], 3);
  EXPECT_EQ(json["stage"], "rl");
  EXPECT_EQ(json["policy_version"], 2);
  EXPECT_EQ(json["loss/total"], 0.2);
  EXPECT_EQ(json["loss/kl_nats"], 1.0 / 3);
  EXPECT_EQ(json["wall_s"], 5e-324);
}

TEST(MetricsRowTest, WhatIsNotFiniteBecomesNull) {
  MetricsRow row(0, "rl", 0);
  row.Set("loss/grad_norm", std::numeric_limits<double>::infinity());
  row.Set("loss/total", kNan);
  EXPECT_EQ(row.ToJson(),
            "{\"step\":0,\"stage\":\"rl\",\"policy_version\":0,"
            "\"loss/grad_norm\":null,\"loss/total\":null}");
}

class MetricsWriterTest : public testing::Test {
 protected:
  // Writes rows of steps [first, end), as one life of a run.
  void Live(int64_t first, int64_t end, double reward) {
    auto writer = MetricsWriter::Open(path_, dir_ / "tensorboard", first);
    COHORT_ASSERT_OK(writer);
    for (int64_t step = first; step < end; ++step) {
      COHORT_ASSERT_OK((*writer)->Write(Row(step, reward)));
    }
  }

  TempDir dir_;
  std::string path_ = dir_ / "metrics.jsonl";
};

TEST_F(MetricsWriterTest, AResumedRunTakesOutWhatItWillDoAgain) {
  Live(1, 6, 0.25);
  Live(4, 7, 0.5);
  EXPECT_THAT(StepsIn(path_), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(MetricsWriterTest, AnUnfinishedLineIsTakenOut) {
  dir_.Write("metrics.jsonl", "{\"step\": 1}\n{\"step\": 2}\n{\"ste");
  COHORT_ASSERT_OK(TruncateMetrics(path_, 5));
  EXPECT_THAT(StepsIn(path_), ElementsAre(1, 2));
  COHORT_ASSERT_OK(TruncateMetrics(path_, 0));
  EXPECT_THAT(StepsIn(path_), IsEmpty());
  COHORT_EXPECT_OK(TruncateMetrics(dir_ / "none", 0));
}

TEST_F(MetricsWriterTest, AFileThatCannotBeWrittenIsNamed) {
  EXPECT_THAT(
      MetricsWriter::Open(dir_ / "none/metrics.jsonl", "", 1),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("none/metrics.jsonl")));
}

// /dev/full takes no byte, as a full disk.
TEST(WriteWholeTest, AFullDiskIsNamed) {
  const int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_THAT(WriteWhole(fd, "line\n", "run/metrics.jsonl"),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("run/metrics.jsonl")));
  close(fd);
}

// RFC 3720, appendix B.4.
TEST(Crc32cTest, AgreesWithTheRfc) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  std::string ascending;
  for (char c = 0; c < 32; ++c) ascending.push_back(c);
  EXPECT_EQ(Crc32c(ascending), 0x46dd794eu);
}

// TensorBoard itself reads two lives of a run: the second one's numbers stand.
TEST_F(MetricsWriterTest, TensorBoardReadsWhatWeWrote) {
  const std::string python = std::filesystem::exists(".venv/bin/python")
                                 ? ".venv/bin/python"
                                 : "python3";
  if (std::system(absl::StrCat(python, " -c 'import tensorboard' 2>/dev/null")
                      .c_str()) != 0) {
    GTEST_SKIP() << "TensorBoard is not installed";
  }
  Live(1, 6, 0.25);
  Live(4, 7, 0.5);
  const std::string script = dir_.Write("read.py",
                                        "import sys\n"
                                        "from tensorboard.backend."
                                        "event_processing.event_accumulator "
                                        "import EventAccumulator\n"
                                        "events = EventAccumulator(sys.argv[1])"
                                        "\n"
                                        "events.Reload()\n"
                                        "print(events.Tags()['scalars'])\n"
                                        "print([(e.step, e.value) for e in "
                                        "events.Scalars('train/reward_mean')])"
                                        "\n");
  std::FILE* const output =
      popen(absl::StrCat(python, " ", script, " ", dir_ / "tensorboard",
                         " 2>/dev/null")
                .c_str(),
            "r");
  ASSERT_NE(output, nullptr);
  std::array<char, 4096> text{};
  const size_t size = fread(text.data(), 1, text.size() - 1, output);
  EXPECT_EQ(pclose(output), 0);
  EXPECT_EQ(std::string(text.data(), size),
            "['train/reward_mean']\n"
            "[(1, 0.25), (2, 0.25), (3, 0.25), (4, 0.5), (5, 0.5), (6, 0.5)]"
            "\n");
}

}  // namespace
}  // namespace cohort
