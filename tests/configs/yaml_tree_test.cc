#include "configs/yaml_tree.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr absl::StatusCode kWrong = absl::StatusCode::kInvalidArgument;

TEST(YamlTreeTest, KnowsWhereEverythingIsWritten) {
  const absl::StatusOr<YamlNode> root =
      ParseYaml("# comment\na: 1\nb:\n  - x\n  - \"y\"\nc:\n", "f");
  COHORT_ASSERT_OK(root);
  ASSERT_THAT(root->children, SizeIs(3));
  EXPECT_EQ(root->Find("a")->where, "f:2");
  EXPECT_EQ(root->Find("a")->text, "1");
  EXPECT_EQ(root->Find("b")->where, "f:3");
  ASSERT_THAT(root->Find("b")->children, SizeIs(2));
  EXPECT_EQ(root->Find("b")->children[1].where, "f:5");
  EXPECT_TRUE(root->Find("b")->children[1].quoted);
  EXPECT_EQ(root->Find("c")->where, "f:6");
  EXPECT_EQ(root->Find("c")->kind, YamlNode::Kind::kNull);
  EXPECT_EQ(root->Find("d"), nullptr);
}

TEST(YamlTreeTest, AnEmptyTextIsNull) {
  for (const std::string text : {"", "\n", "# nothing\n", "---\n"}) {
    const absl::StatusOr<YamlNode> root = ParseYaml(text, "f");
    COHORT_ASSERT_OK(root);
    EXPECT_EQ(root->kind, YamlNode::Kind::kNull);
  }
}

TEST(YamlTreeTest, AKeyThatStandsTwiceIsAnError) {
  EXPECT_THAT(ParseYaml("a: 1\nb: 2\na: 3\n", "f"),
              StatusIs(kWrong, "f:3: key 'a' stands twice, first at f:1"));
  EXPECT_THAT(ParseYaml("m: {a: 1, a: 1}\n", "f"),
              StatusIs(kWrong, StartsWith("f:1: key 'a' stands twice")));
}

TEST(YamlTreeTest, WhatIsNotPlainYamlIsAnError) {
  EXPECT_THAT(ParseYaml("a: &x 1\nb: 2", "f"),
              StatusIs(kWrong, "f:1: anchors are not read"));
  EXPECT_THAT(ParseYaml("a: &x [*x]", "f"),
              StatusIs(kWrong, "f:1: anchors are not read"));
  EXPECT_THAT(ParseYaml("a: !!int 1", "f"),
              StatusIs(kWrong, HasSubstr("f:1: tags are not read")));
  EXPECT_THAT(ParseYaml("[a]: 1", "f"),
              StatusIs(kWrong, "f:1: a key must be one word"));
  EXPECT_THAT(ParseYaml("a: 1\n---\nb: 2\n", "f"),
              StatusIs(kWrong, "f: more than one YAML document"));
}

TEST(YamlTreeTest, WhatIsNotYamlIsNamedByLine) {
  for (const std::string text :
       {"a: 1\nb: [1, 2\n", "a: 1\n\tb: 2\n", "a: *none\n"}) {
    EXPECT_THAT(ParseYaml(text, "f"), StatusIs(kWrong, StartsWith("f:")))
        << text;
  }
}

TEST(YamlTreeTest, DeepNestingIsAnErrorNotACrash) {
  EXPECT_THAT(ParseYaml(std::string(100000, '['), "f"),
              StatusIs(kWrong, StartsWith("f:")));
}

TEST(YamlTreeTest, OverridesReplaceAndMakeMaps) {
  absl::StatusOr<YamlNode> root = ParseYaml("a: {b: 1}\nl: [1, 2]", "f");
  COHORT_ASSERT_OK(root);
  for (const std::string text :
       {"a.b=[3]", "l.1=x", "new.deep.key=5", "a.b.0={c: 4}"}) {
    const absl::StatusOr<Override> change = ParseOverride(text);
    COHORT_ASSERT_OK(change);
    COHORT_EXPECT_OK(ApplyOverride(*change, &*root));
  }
  EXPECT_EQ(root->Find("a")->Find("b")->children[0].Find("c")->text, "4");
  EXPECT_EQ(root->Find("l")->children[1].text, "x");
  EXPECT_EQ(root->Find("new")->Find("deep")->Find("key")->text, "5");
  EXPECT_EQ(root->Find("l")->children[1].where, "--set l.1=x");
}

}  // namespace
}  // namespace cohort
