#include "rewards/lean_reply.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const LeanTask& Task() {
  static const LeanTask* const task = new LeanTask(
      *MakeLeanTask("import Mathlib", "theorem two : 1 + 1 = 2 := by"));
  return *task;
}

TEST(LeanReplyTest, ProofsThatEndWithoutProvingAreNotTried) {
  const std::string statement = "theorem two :  1 + 1\n  = 2 := by\n";
  EXPECT_THAT(LeanProofFlaw(Task(), statement + "  norm_num"), IsEmpty());
  EXPECT_THAT(LeanProofFlaw(Task(), statement + "  norm_num -- not sorry"),
              IsEmpty());
  for (const char* proof :
       {"sorry", "admit", "apply?", "exact?", "native_decide",
        "norm_num\naxiom x : False", "norm_num\n#eval 1",
        "/- a -/ sor/- -/ry\nsorry", "exact two"}) {
    EXPECT_THAT(LeanProofFlaw(Task(), statement + proof),
                ::testing::Not(IsEmpty()))
        << proof;
  }
  EXPECT_THAT(LeanProofFlaw(Task(), "theorem two : 1 + 1 = 3 := by norm_num"),
              HasSubstr("statement"));
  EXPECT_THAT(LeanProofFlaw(Task(),
                            "/- theorem two : 1 + 1 = 2 := by -/\n"
                            "theorem two : True := by trivial"),
              HasSubstr("statement"));
}

TEST(LeanReplyTest, CompleteMeansNoErrorNothingOpenAndSoundAxioms) {
  const std::string sound =
      R"({"severity": "info", "data": "'two' depends on axioms: [propext, Classical.choice]"})";
  const auto read = [](const std::string& messages, const char* rest = "") {
    const absl::StatusOr<LeanReply> reply =
        ReadLeanReply(Task(), "{\"messages\": [" + messages + "]" + rest + "}");
    EXPECT_THAT(reply, IsOk());
    return reply.ok() ? *reply : LeanReply();
  };
  EXPECT_TRUE(read(sound).complete);
  EXPECT_TRUE(read(R"({"severity": "info",
      "data": "'two' does not depend on any axioms"})")
                  .complete);
  EXPECT_FALSE(read("").complete);
  EXPECT_FALSE(read(sound, ", \"sorries\": [{}]").complete);
  EXPECT_TRUE(read(sound, ", \"sorries\": []").complete);
  EXPECT_FALSE(
      read(sound + R"(, {"severity": "error", "data": "unsolved goals"})")
          .pass);
  const LeanReply warned =
      read(sound +
           R"(, {"severity": "warning", "data": "declaration uses 'sorry'"})");
  EXPECT_TRUE(warned.pass);
  EXPECT_FALSE(warned.complete);
  EXPECT_FALSE(read(R"({"severity": "info",
      "data": "'two' depends on axioms: [sorryAx]"})")
                   .complete);
  // Of another theorem.
  EXPECT_FALSE(read(R"({"severity": "info",
      "data": "'one' does not depend on any axioms"})")
                   .complete);
}

TEST(LeanReplyTest, TheReplsOwnTroubleIsNoVerdict) {
  EXPECT_EQ(ReadLeanReply(Task(), R"({"system_messages": "std::bad_alloc"})")
                .status()
                .code(),
            absl::StatusCode::kUnavailable);
  EXPECT_FALSE(ReadLeanReply(Task(), "Killed").ok());
  EXPECT_FALSE(ReadLeanReply(Task(), R"({"messages": 7})").ok());
  EXPECT_FALSE(MakeLeanTask("", "example : True := trivial").ok());
}

}  // namespace
}  // namespace cohort
