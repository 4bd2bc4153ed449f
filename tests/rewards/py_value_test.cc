#include "rewards/py_value.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

PyValue Literal(std::string_view text) {
  const absl::StatusOr<PyValue> value = ParsePyLiteral(text);
  EXPECT_THAT(value, IsOk()) << text;
  return value.ok() ? *value : PyValue();
}

bool Same(std::string_view a, std::string_view b, double tolerance = 0) {
  return SamePyValue(Literal(a), Literal(b),
                     {.absolute = tolerance, .relative = tolerance});
}

TEST(PyValueTest, EqualValuesOfOtherTypesAreNotTheSame) {
  EXPECT_TRUE(Same("[1, 2]", "[1,2,]"));
  for (const auto& [a, b] :
       {std::pair("1", "1.0"), std::pair("1", "True"), std::pair("0", "False"),
        std::pair("[1]", "(1,)"), std::pair("{1}", "frozenset({1})"),
        std::pair("'a'", "b'a'"), std::pair("None", "0"),
        std::pair("(1,)", "1"), std::pair("[]", "()")}) {
    EXPECT_FALSE(Same(a, b)) << a << " " << b;
  }
}

TEST(PyValueTest, SetsAndDictionariesHaveNoOrder) {
  EXPECT_TRUE(Same("{1, 2, 3}", "{3, 1, 2}"));
  EXPECT_TRUE(Same("{'a': 1, 'b': [2]}", "{'b': [2], 'a': 1}"));
  EXPECT_FALSE(Same("{'a': 1}", "{'a': 2}"));
  EXPECT_FALSE(Same("{1, 2}", "{1, 2, 3}"));
}

TEST(PyValueTest, FloatsAreCloseOnlyWithinTheTolerance) {
  EXPECT_TRUE(Same("0.1", "0.1"));
  EXPECT_FALSE(Same("0.30000000000000004", "0.3"));
  EXPECT_TRUE(Same("0.30000000000000004", "0.3", 1e-6));
  EXPECT_FALSE(Same("[1.0, 2.1]", "[1.0, 2.0]", 1e-6));
  EXPECT_TRUE(Same("float('nan')", "float('nan')"));
  EXPECT_FALSE(Same("float('inf')", "1e308", 1e-6));
  EXPECT_FALSE(Same("float('inf')", "float('-inf')", 1e-6));
}

TEST(PyValueTest, WholeNumbersKeepAllTheirDigits) {
  EXPECT_TRUE(Same("265252859812191058636308480000000",
                   "265252859812191058636308480000000"));
  EXPECT_FALSE(Same("265252859812191058636308480000000",
                    "265252859812191058636308480000001"));
  EXPECT_TRUE(Same("-255", "-0xff"));
  const absl::StatusOr<PyValue> json =
      ParsePyJson("265252859812191058636308480000001");
  ASSERT_THAT(json, IsOk());
  EXPECT_TRUE(
      SamePyValue(*json, Literal("265252859812191058636308480000001"), {}));
}

TEST(PyValueTest, WhatIsEncodedIsDecoded) {
  for (const char* text :
       {"None", "True", "-12", "1.5", "'\\u00e9\\n'", "b'\\x00\\xff'",
        "[1, (2, {3}), {'k': frozenset({4})}]", "()", "[]", "{}", "''"}) {
    const PyValue value = Literal(text);
    const absl::StatusOr<PyValue> back = DecodePyValue(EncodePyValue(value));
    ASSERT_THAT(back, IsOk()) << text;
    EXPECT_TRUE(SamePyValue(*back, value, {})) << text;
  }
}

// Frames come from a process that a submission may have taken over.
TEST(PyValueTest, AFrameThatIsNoValueIsRefused) {
  for (const std::string_view bytes :
       {std::string_view(""), std::string_view("x"), std::string_view("i"),
        std::string_view("i3:12"), std::string_view("i2:zz"),
        std::string_view("i1:-"), std::string_view("l2:N"),
        std::string_view("l99999999:N"), std::string_view("l-1:"),
        std::string_view("s4:abc"), std::string_view("NN"),
        std::string_view("d1:N"), std::string_view("f123"),
        std::string_view("h0:")}) {
    EXPECT_FALSE(DecodePyValue(bytes).ok()) << bytes;
  }
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "l1:";
  EXPECT_FALSE(DecodePyValue(deep + "N").ok());
  EXPECT_FALSE(ParsePyLiteral(std::string(100000, '[')).ok());
  EXPECT_FALSE(ParsePyJson(std::string(100000, '[')).ok());
}

TEST(PyValueTest, AValueOfAnotherTypeIsNeverTheSame) {
  const absl::StatusOr<PyValue> other = DecodePyValue("u3:int");
  ASSERT_THAT(other, IsOk());
  EXPECT_FALSE(SamePyValue(*other, *other, {}));
}

TEST(PyValueTest, LiteralsThatAreNoneSayWhere) {
  for (const char* text : {"", "[1", "{1: 2, 3}", "{1, 2: 3}", "'abc", "__x__",
                           "1 2", "f()", "'\\q'"}) {
    const absl::Status status = ParsePyLiteral(text).status();
    EXPECT_THAT(status.message(), ::testing::HasSubstr("character")) << text;
  }
}

}  // namespace
}  // namespace cohort
