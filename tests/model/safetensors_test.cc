#include "model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using testing::HasSubstr;

constexpr char kFixture[] =
    "tests/data/parity/deepseek_v3/fp32/model.safetensors";

std::string FileOf(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data_bytes, '\0');
}

TEST(SafetensorsTest, ReadsAFileOfTheReferenceLibrary) {
  const auto file = SafetensorsFile::Open(kFixture);
  COHORT_ASSERT_OK(file);
  const StoredTensor* const head = (*file)->Find("lm_head.weight");
  ASSERT_NE(head, nullptr);
  EXPECT_THAT(head->shape, testing::ElementsAre(256, 48));
  EXPECT_EQ(head->dtype, Dtype::kF32);
  EXPECT_EQ(head->Elements(), 256 * 48);
  EXPECT_EQ((*file)->Find("nothing"), nullptr);
}

TEST(SafetensorsTest, EveryTruncationIsAnError) {
  const std::string whole = TempDir::Read(kFixture);
  const TempDir folder;
  for (size_t size = 0; size < whole.size();
       size = size < 64 ? size + 1 : size * 3 / 2) {
    const std::string path =
        folder.Write("t.safetensors", whole.substr(0, size));
    EXPECT_THAT(SafetensorsFile::Open(path),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(path)))
        << size;
  }
  EXPECT_THAT(SafetensorsFile::Open(
                  folder.Write("t", whole.substr(0, whole.size() - 1))),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("the file is truncated")));
}

TEST(SafetensorsTest, AMissingFileIsNotFound) {
  EXPECT_THAT(
      SafetensorsFile::Open("nowhere/x.safetensors"),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("x.safetensors")));
}

TEST(SafetensorsTest, AFolderIsNoFile) {
  EXPECT_THAT(SafetensorsFile::Open("tests"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("not a regular file")));
}

struct BadFile {
  const char* name;
  std::string bytes;
  const char* message;
};

class BadFileTest : public testing::TestWithParam<BadFile> {};

TEST_P(BadFileTest, IsNamed) {
  EXPECT_THAT(SafetensorsFile::Parse(GetParam().bytes, "bad.safetensors"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::AllOf(HasSubstr("bad.safetensors: "),
                                      HasSubstr(GetParam().message))));
}

std::string Entry(const std::string& name, const std::string& dtype,
                  const std::string& shape, const std::string& offsets) {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"", dtype, "\",\"shape\":[",
                      shape, "],\"data_offsets\":[", offsets, "]}");
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadFileTest,
    testing::Values(
        BadFile{"Empty", "", "truncated"},
        BadFile{"HugeHeader", std::string(7, '\0') + "\x80" + "{}",
                "header of 9223372036854775808 bytes"},
        BadFile{"Foreign", "PK\x03\x04 this is a zip file", "not safetensors"},
        BadFile{"NoJson", FileOf("{\"a\":", 0), "no JSON object"},
        BadFile{"List", FileOf("[]", 0), "no JSON object"},
        BadFile{"Deep", FileOf(std::string(100000, '['), 0), "no JSON object"},
        BadFile{"UnknownDtype",
                FileOf("{" + Entry("a", "F4", "1", "0,4") + "}", 4),
                "a: unknown dtype \"F4\""},
        BadFile{"NoShape", FileOf(R"({"a":{"dtype":"F32"}})", 0),
                "a: needs dtype, shape and data_offsets"},
        BadFile{"NegativeShape",
                FileOf("{" + Entry("a", "F32", "-1", "0,4") + "}", 4),
                "a: impossible shape"},
        BadFile{"OverflowingShape",
                FileOf("{" + Entry("a", "F32", "4294967296,4294967296", "0,4") +
                           "}",
                       4),
                "a: impossible shape"},
        BadFile{"BackwardOffsets",
                FileOf("{" + Entry("a", "F32", "1", "4,0") + "}", 4),
                "a: impossible data_offsets"},
        BadFile{"OutOfRange",
                FileOf("{" + Entry("a", "F32", "2", "0,8") + "}", 4),
                "a: ends at byte 8 of 4"},
        BadFile{"WrongSize",
                FileOf("{" + Entry("a", "F32", "3", "0,8") + "}", 8),
                "a: has 8 bytes, its shape needs 12"},
        BadFile{"Overlap",
                FileOf("{" + Entry("a", "F32", "2", "0,8") + "," +
                           Entry("b", "F32", "2", "4,12") + "}",
                       12),
                "b: overlaps another tensor"},
        BadFile{"Gap",
                FileOf("{" + Entry("a", "F32", "1", "0,4") + "," +
                           Entry("b", "F32", "1", "8,12") + "}",
                       12),
                "b: leaves a gap"},
        BadFile{"Tail", FileOf("{" + Entry("a", "F32", "1", "0,4") + "}", 9),
                "5 bytes belong to no tensor"},
        BadFile{"Twice",
                FileOf("{" + Entry("a", "F32", "1", "0,4") + "," +
                           Entry("a", "F32", "1", "0,4") + "}",
                       4),
                "duplicated tensor a"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(SafetensorsTest, WhatIsWrittenIsReadBack) {
  const TempDir folder;
  const std::string path = folder / "x.safetensors";
  const std::vector<TensorToStore> tensors = {
      {"one", Dtype::kI64, {1}, [] { return std::string_view("12345678"); }},
      {"none", Dtype::kF32, {0, 3}, [] { return std::string_view(); }},
      {"two \"quoted\"", Dtype::kU8, {1, 3}, [] {
         return std::string_view("abc");
       }}};
  COHORT_ASSERT_OK(WriteSafetensors(path, tensors));
  const auto file = SafetensorsFile::Open(path);
  COHORT_ASSERT_OK(file);
  EXPECT_EQ((*file)->tensors().size(), 3u);
  EXPECT_EQ((*file)->Find("one")->bytes, "12345678");
  EXPECT_EQ((*file)->Find("two \"quoted\"")->bytes, "abc");
  EXPECT_EQ((*file)->Find("none")->Elements(), 0);
}

TEST(SafetensorsTest, AFullDiskIsAnError) {
  EXPECT_THAT(
      WriteSafetensors(
          "/dev/full",
          {{"a", Dtype::kU8, {1}, [] { return std::string_view("a"); }}}),
      StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("/dev/full")));
}

}  // namespace
}  // namespace cohort
