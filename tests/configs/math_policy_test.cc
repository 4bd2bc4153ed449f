#include "configs/math_policy.h"

#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(MathPolicyTest, NothingAndCoreChooseNothing) {
  for (const char* text : {"", "core", " core ", ","}) {
    const auto policy = ParseMathPolicy(text);
    COHORT_ASSERT_OK(policy) << text;
    EXPECT_FALSE(policy->convert_units) << text;
    EXPECT_TRUE(policy->percent_drop) << text;
    EXPECT_EQ(policy->rounding_digits, -1) << text;
  }
}

TEST(MathPolicyTest, ChoicesAddUp) {
  const auto policy =
      ParseMathPolicy("unit-conversion, ordered-list,rounding=3,choices=ABC");
  COHORT_ASSERT_OK(policy);
  EXPECT_TRUE(policy->convert_units);
  EXPECT_TRUE(policy->ordered_lists);
  EXPECT_FALSE(policy->require_box);
  EXPECT_EQ(policy->rounding_digits, 3);
  EXPECT_EQ(policy->choices, "ABC");
}

TEST(MathPolicyTest, EveryNameIsTaken) {
  for (const std::string_view name : MathPolicyNames()) {
    COHORT_EXPECT_OK(ParseMathPolicy(name)) << std::string(name);
  }
}

TEST(MathPolicyTest, AnUnknownChoiceNamesTheKnownOnes) {
  for (const char* text : {"lenient", "core,lenient", "Lenient ,core"}) {
    EXPECT_THAT(ParseMathPolicy(text),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("enient'; known: "),
                               HasSubstr("unit-conversion"))))
        << text;
  }
  for (const char* text : {"rounding=", "rounding=-1", "rounding=101",
                           "rounding=2.5", "rounding=99999999999"}) {
    EXPECT_THAT(ParseMathPolicy(text),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text)));
  }
}

}  // namespace
}  // namespace cohort
