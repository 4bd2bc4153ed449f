#include "sandbox/run_spec.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cohort {
namespace {

RunSpec Sound() {
  RunSpec spec;
  spec.id = 7;
  spec.cpu_ns = 2'000'000'000;
  spec.wall_ns = 5'000'000'000;
  spec.wall_most_ns = 6'000'000'000;
  spec.memory_bytes = 256 << 20;
  spec.disk_bytes = 32 << 20;
  spec.processes = 64;
  spec.descriptors = 256;
  spec.argv = {"/usr/bin/python3", "main.py"};
  spec.env = {"PATH=/usr/bin"};
  spec.files = {"main.py"};
  return spec;
}

TEST(RunSpecTest, AMessageIsReadAsItWasWritten) {
  RunSpec spec = Sound();
  spec.has_channel = true;
  spec.zygote = 1;
  spec.fences = kFenceSeccomp;
  const std::optional<RunSpec> read = ParseRunSpec(SerializeRunSpec(spec));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->id, 7);
  EXPECT_EQ(read->wall_most_ns, 6'000'000'000);
  EXPECT_EQ(read->argv, spec.argv);
  EXPECT_EQ(read->files, spec.files);
  EXPECT_EQ(read->zygote, 1U);
  EXPECT_EQ(read->fences, uint32_t{kFenceSeccomp});
  EXPECT_TRUE(read->has_channel);
  EXPECT_FALSE(read->has_program);
}

TEST(RunSpecTest, EveryCutMessageIsRefused) {
  const std::string whole = SerializeRunSpec(Sound());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ParseRunSpec(whole.substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(ParseRunSpec(whole + "x").has_value());
}

TEST(RunSpecTest, AFileOutsideTheWorkFolderIsRefused) {
  for (const char* name :
       {"", ".", "..", ".hidden", "../main.py", "/etc/passwd", "a/b"}) {
    RunSpec spec = Sound();
    spec.files = {name};
    EXPECT_FALSE(ParseRunSpec(SerializeRunSpec(spec)).has_value()) << name;
  }
}

TEST(RunSpecTest, LimitsBelowOneAreRefused) {
  for (int64_t RunSpec::*limit :
       {&RunSpec::cpu_ns, &RunSpec::wall_ns, &RunSpec::wall_most_ns,
        &RunSpec::memory_bytes, &RunSpec::disk_bytes}) {
    for (const int64_t value : {int64_t{0}, int64_t{-1}}) {
      RunSpec spec = Sound();
      spec.*limit = value;
      EXPECT_FALSE(ParseRunSpec(SerializeRunSpec(spec)).has_value());
    }
  }
}

TEST(RunSpecTest, TextWithNulBytesIsRefused) {
  RunSpec spec = Sound();
  spec.argv = {std::string("/bin/sh\0-c", 10)};
  EXPECT_FALSE(ParseRunSpec(SerializeRunSpec(spec)).has_value());
}

}  // namespace
}  // namespace cohort
