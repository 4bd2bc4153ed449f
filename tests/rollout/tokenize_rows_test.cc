#include "rollout/tokenize_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class TokenizeRowsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded = Tokenizer::Load("tests/data/tokenizers/small_llama3");
    COHORT_ASSERT_OK(loaded);
    tokenizer_ = *std::move(loaded);
    settings_.tokenizer = tokenizer_.get();
    settings_.chat_template = ChatTemplate::Parse(
        "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}"
        "<|eot_id|>{% endfor %}{% if tools %}{{ tools | length }}{% endif %}"
        "{% if add_generation_prompt %}{{ who }}:{% endif %}",
        R"({"bos_token": "<|begin_of_text|>"})", "template");
  }

  json Run(const std::string& line, bool decode = false) {
    settings_.decode = decode;
    const auto result = TokenizeRow(line, settings_);
    return result.ok() ? json::parse(*result)
                       : json(std::string(result.status().message()));
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  TokenizeSettings settings_;
};

TEST_F(TokenizeRowsTest, ThereAndBackAgain) {
  const json there = Run(R"({"id": 7, "text": "caf\u00e9 <|eot_id|>"})");
  EXPECT_EQ(there["id"], 7);
  EXPECT_EQ(there["text"], "café <|eot_id|>");
  const json back = Run(there.dump(), true);
  EXPECT_EQ(back, there);
}

TEST_F(TokenizeRowsTest, SpecialTokensAreAddedAndSkippedOnRequest) {
  const json with = Run(R"({"text": "a", "add_special_tokens": true})");
  const json without = Run(R"({"text": "a"})");
  // The vocabulary of 1400 is followed by <|begin_of_text|>.
  EXPECT_EQ(with["ids"][0], 1400);
  EXPECT_EQ(with["ids"].size(), without["ids"].size() + 1);
  json row = {{"ids", with["ids"]}};
  EXPECT_EQ(Run(row.dump(), true)["text"], "<|begin_of_text|>a");
  row["skip_special_tokens"] = true;
  EXPECT_EQ(Run(row.dump(), true)["text"], "a");
}

TEST_F(TokenizeRowsTest, MessagesAreRenderedAndTheirSpecialTokensKnown) {
  const json row = Run(R"({"messages": [{"role": "user", "content": "hi"}],
      "tools": [{}, {}], "kwargs": {"add_generation_prompt": true,
      "who": "bot"}})");
  const std::string text = "<|begin_of_text|>user: hi<|eot_id|>2bot:";
  EXPECT_EQ(row["text"], text);
  // The template wrote the first token: none is added before it.
  EXPECT_EQ(row["ids"], Run(json{{"text", text}}.dump())["ids"]);
  EXPECT_EQ(row["ids"][0], 1400);
  EXPECT_NE(row["ids"][1], 1400);
  EXPECT_TRUE(Run(R"({"messages": []})").contains("error"));
  settings_.chat_template = absl::NotFoundError("no chat template");
  EXPECT_EQ(Run(R"({"messages": [{}]})")["error"], "no chat template");
}

// Python's errors="replace": one U+FFFD for each maximal part.
TEST_F(TokenizeRowsTest, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(Run("{\"text\": \"a\xe4\xbd b\xff\"}"),
            Run("{\"text\": \"a\uFFFD b\uFFFD\"}"));
}

TEST_F(TokenizeRowsTest, BadRowsSayWhatIsWrong) {
  const auto error = [&](const std::string& line, bool decode = false) {
    return Run(line, decode).value("error", "no error");
  };
  EXPECT_EQ(error("[1]"), "not a JSON object");
  EXPECT_EQ(error("{}"), "has neither text nor messages");
  EXPECT_EQ(error(R"({"text": 3})"), "text is not a text");
  EXPECT_EQ(error(R"({"ids": [1]})"), "ids are decoded by --decode");
  EXPECT_EQ(error(R"({"text": "a", "add_special_tokens": 1})"),
            "add_special_tokens is neither true nor false");
  EXPECT_EQ(error(R"({"text": "a"})", true), "ids is not a list");
  for (const char* const id :
       {"-1", "99999999", "1.5", "\"a\"", "18446744073709551615"}) {
    EXPECT_THAT(error(std::string("{\"ids\": [1, ") + id + "]}", true),
                HasSubstr(std::string("ids: ") + id + " is no token"));
  }
}

TEST_F(TokenizeRowsTest, WhatIsNotJsonIsAnError) {
  EXPECT_THAT(TokenizeRow("{\"text\": ", settings_),
              StatusIs(absl::StatusCode::kInvalidArgument, "not JSON"));
}

}  // namespace
}  // namespace cohort
