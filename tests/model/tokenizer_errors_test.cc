// Files that are wrong, or that name what is not built: one line that says
// where.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "model/tokenizer.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

json GoodFile() {
  return json::parse(R"j({
    "version": "1.0",
    "added_tokens": [{"id": 5, "content": "<end>", "single_word": false,
      "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
    "normalizer": null, "pre_tokenizer": null, "post_processor": null,
    "decoder": {"type": "Fuse"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "c": 3, "_": 4},
              "merges": ["a b"]}})j");
}

struct Flaw {
  std::string patch;  // Merged into the good file.
  absl::StatusCode code;
  std::string message;
};

void PrintTo(const Flaw& flaw, std::ostream* out) { *out << flaw.patch; }

class FlawTest : public testing::TestWithParam<Flaw> {};

TEST_P(FlawTest, IsNamed) {
  json file = GoodFile();
  file.merge_patch(json::parse(GetParam().patch));
  EXPECT_THAT(Tokenizer::Parse(file.dump(), "", "t.json"),
              StatusIs(GetParam().code, AllOf(StartsWith("t.json: "),
                                              HasSubstr(GetParam().message))));
}

constexpr auto kNotBuilt = absl::StatusCode::kUnimplemented;
constexpr auto kWrong = absl::StatusCode::kInvalidArgument;

INSTANTIATE_TEST_SUITE_P(
    Unknown, FlawTest,
    testing::Values(
        Flaw{R"j({"version": "2.0"})j", kNotBuilt, "version 2.0"},
        Flaw{R"j({"normalizer": {"type": "Precompiled"}})j", kNotBuilt,
             "normalizer: type Precompiled"},
        Flaw{R"j({"normalizer": {"type": "Sequence", "normalizers": [
               {"type": "NFC"}, {"type": "Foo"}]}})j",
             kNotBuilt, "normalizer.normalizers[1]: type Foo"},
        Flaw{R"j({"pre_tokenizer": {"type": "Foo"}})j", kNotBuilt,
             "pre_tokenizer: type Foo"},
        Flaw{R"j({"pre_tokenizer": {"type": "UnicodeScripts"}})j", kNotBuilt,
             "type UnicodeScripts"},
        Flaw{R"j({"post_processor": {"type": "Foo"}})j", kNotBuilt,
             "post_processor: type Foo"},
        Flaw{R"j({"decoder": {"type": "CTC"}})j", kNotBuilt,
             "decoder: type CTC"},
        Flaw{R"j({"model": {"type": "Unigram"}})j", kNotBuilt,
             "model: type Unigram"},
        Flaw{R"j({"model": {"dropout": 0.1}})j", kNotBuilt, "model: dropout"},
        Flaw{R"j({"pre_tokenizer": {"type": "Split", "behavior": "Isolated",
               "pattern": {"Regex": "(?~a)"}}})j",
             kNotBuilt, "pre_tokenizer.pattern: pattern"}));

INSTANTIATE_TEST_SUITE_P(
    Merges, FlawTest,
    testing::Values(Flaw{R"j({"model": {"merges": ["a b", "a x"]}})j", kWrong,
                         "model.merges[1]: \"x\" is not in the vocabulary"},
                    Flaw{R"j({"model": {"merges": [["x", "a"]]}})j", kWrong,
                         "model.merges[0]: \"x\" is not in the vocabulary"},
                    Flaw{R"j({"model": {"merges": ["b a"]}})j", kWrong,
                         "model.merges[0]: \"ba\" is not in the vocabulary"},
                    Flaw{R"j({"model": {"merges": ["ab"]}})j", kWrong,
                         "is no pair of texts"},
                    Flaw{R"j({"model": {"merges": ["a b c"]}})j", kWrong,
                         "is no pair of texts"},
                    Flaw{R"j({"model": {"merges": [["a", 1]]}})j", kWrong,
                         "is no pair of texts"},
                    Flaw{R"j({"model": {"merges": {"a": "b"}}})j", kWrong,
                         "model.merges: must be a list"}));

INSTANTIATE_TEST_SUITE_P(
    Ids, FlawTest,
    testing::Values(
        Flaw{R"j({"model": {"vocab": {"z": 1}}})j", kWrong,
             "model.vocab: id 1 is given to \"b\" and \"z\""},
        Flaw{R"j({"model": {"vocab": {"z": -1}}})j", kWrong,
             "\"z\" has the impossible id -1"},
        Flaw{R"j({"model": {"vocab": {"z": 18446744073709551615}}})j", kWrong,
             "impossible id"},
        Flaw{R"j({"model": {"vocab": {"z": 4194304}}})j", kWrong,
             "impossible id 4194304"},
        Flaw{R"j({"model": {"vocab": {"z": 1.5}}})j", kWrong, "impossible id"},
        Flaw{R"j({"model": {"vocab": {"z": "1"}}})j", kWrong, "impossible id"},
        Flaw{R"j({"model": {"vocab": []}})j", kWrong,
             "model.vocab: must be an object"},
        Flaw{R"j({"added_tokens": [{"id": -5, "content": "x"}]})j", kWrong,
             "added_tokens[0]: id -5 is not in"},
        Flaw{R"j({"added_tokens": [{"id": 1, "content": "x"}]})j", kWrong,
             "added_tokens[0]: id 1 is given to \"b\" and \"x\""},
        Flaw{R"j({"added_tokens": [{"id": 7, "content": "x"},
                                  {"id": 7, "content": "y"}]})j",
             kWrong, "added_tokens[1]: id 7 is given to \"x\" and \"y\""},
        // Five tokens, one of them beyond the gap that the sixth falls into.
        Flaw{R"j({"model": {"vocab": {"_": 5}},
               "added_tokens": [{"id": 6, "content": "x"}]})j",
             kWrong, "would get id 5, which is \"_\""}));

INSTANTIATE_TEST_SUITE_P(
    Types, FlawTest,
    testing::Values(
        Flaw{R"j({"model": null})j", kWrong, "model is missing"},
        Flaw{R"j({"model": {"vocab": null}})j", kWrong, "vocab is missing"},
        Flaw{R"j({"model": 3})j", kWrong, "vocab is missing"},
        Flaw{R"j({"model": {"fuse_unk": 1}})j", kWrong, "fuse_unk must be"},
        Flaw{R"j({"model": {"unk_token": "zz"}})j", kWrong,
             "unk_token \"zz\" is not in the vocabulary"},
        Flaw{R"j({"normalizer": {"type": 3}})j", kWrong, "type must be a text"},
        Flaw{R"j({"normalizer": "NFC"})j", kWrong, "type is missing"},
        Flaw{R"j({"normalizer": {"type": "Replace", "content": "x",
               "pattern": {}}})j",
             kWrong, "normalizer.pattern: needs String or Regex"},
        Flaw{R"j({"pre_tokenizer": {"type": "Split", "behavior": "Isolated",
               "pattern": {"Regex": "a(b"}}})j",
             kWrong, "pattern \"a(b\""},
        Flaw{R"j({"pre_tokenizer": {"type": "Split", "behavior": "Isolated",
               "pattern": {"Regex": "[b-a]"}}})j",
             kWrong, "range runs backwards"},
        Flaw{R"j({"pre_tokenizer": {"type": "Split", "behavior": "Both",
               "pattern": {"String": "a"}}})j",
             kWrong, "unknown behavior \"Both\""},
        Flaw{
            R"j({"pre_tokenizer": {"type": "Metaspace", "replacement": "ab"}})j",
            kWrong, "replacement must be one character"},
        Flaw{
            R"j({"pre_tokenizer": {"type": "Sequence", "pretokenizers": {}}})j",
            kWrong, "pretokenizers must be a list"},
        Flaw{R"j({"pre_tokenizer": {"type": "FixedLength", "length": 0}})j",
             kWrong, "length must be positive"},
        Flaw{R"j({"post_processor": {"type": "TemplateProcessing",
               "single": [{"SpecialToken": {"id": "x", "type_id": 0}}],
               "special_tokens": {}}})j",
             kWrong, "post_processor.special_tokens: x is missing"},
        Flaw{R"j({"post_processor": {"type": "TemplateProcessing",
               "single": [], "special_tokens": {}}})j",
             kWrong, "single must name A"},
        Flaw{R"j({"added_tokens": {}})j", kWrong,
             "added_tokens must be a list"},
        Flaw{R"j({"added_tokens": [{"id": 9}]})j", kWrong,
             "added_tokens[0]: content is missing"},
        Flaw{R"j({"normalizer": {"type": "Lowercase"}, "added_tokens": [
               {"id": 9, "content": "X", "normalized": true},
               {"id": 10, "content": "x", "normalized": true}]})j",
             kWrong, "when normalized"}));

TEST(TokenizerErrorsTest, NestingWithoutEndIsRefused) {
  json inner = {{"type", "NFC"}};
  for (int i = 0; i < 100; ++i) {
    inner = {{"type", "Sequence"}, {"normalizers", {inner}}};
  }
  json file = GoodFile();
  file["normalizer"] = inner;
  EXPECT_THAT(Tokenizer::Parse(file.dump(), "", "t.json"),
              StatusIs(kWrong, HasSubstr("nested too deeply")));
}

TEST(TokenizerErrorsTest, AnEndlessAddedTokenIsRefused) {
  json file = GoodFile();
  file["added_tokens"][0]["content"] = std::string(5000, 'x');
  EXPECT_THAT(Tokenizer::Parse(file.dump(), "", "t.json"),
              StatusIs(kWrong, HasSubstr("a token of 5000 bytes")));
}

// It tries every way to part a run of a; it must end, and say so.
TEST(TokenizerErrorsTest, APatternThatExplodesGivesUp) {
  json file = GoodFile();
  file["pre_tokenizer"] = {{"type", "Split"},
                           {"pattern", {{"Regex", "(a|a)+[bc]"}}},
                           {"behavior", "Isolated"},
                           {"invert", false}};
  const auto tokenizer = Tokenizer::Parse(file.dump(), "", "t.json");
  COHORT_ASSERT_OK(tokenizer);
  EXPECT_THAT((*tokenizer)->Encode(std::string(64, 'a')),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("pattern \"(a|a)+[bc]\" gives up")));
}

TEST(TokenizerErrorsTest, TextThatIsNotUtf8IsNamed) {
  const auto tokenizer = Tokenizer::Parse(GoodFile().dump(), "", "t.json");
  COHORT_ASSERT_OK(tokenizer);
  for (const char* const text :
       {"a\xff", "\xc3", "a\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_THAT((*tokenizer)->Encode(text),
                StatusIs(kWrong, HasSubstr("t.json: the text is not UTF-8")));
  }
}

TEST(TokenizerErrorsTest, WhatIsNoTokenizerIsAnError) {
  EXPECT_THAT(
      Tokenizer::Parse("[1]", "", "t.json"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("t.json")));
  EXPECT_THAT(Tokenizer::Parse("{}", "", "t.json"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("model is missing")));
  const TempDir folder;
  EXPECT_THAT(
      Tokenizer::Load(folder.path()),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("/tokenizer.json")));
}

}  // namespace
}  // namespace cohort
