#include "model/completion_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

std::string Show(const ParsedCompletion& parsed) {
  std::string text =
      "reasoning [" + parsed.reasoning + "] answer [" + parsed.answer + "]";
  for (const ToolCall& call : parsed.tool_calls) {
    text += " call " + call.name + " " + call.arguments;
  }
  for (const std::string& broken : parsed.broken_calls) {
    text += " broken [" + broken + "]";
  }
  return text + (parsed.reasoning_ended ? " ended" : "");
}

CompletionFormat FormatOf(const std::string& name) {
  return DetectCompletionFormat(
      TempDir::Read("tests/data/chat/" + name + ".jinja"), "");
}

std::string Parse(const CompletionFormat& format, CompletionStart start,
                  const std::vector<std::string_view>& pieces) {
  CompletionParser parser(format, start);
  std::string shown;
  for (const std::string_view piece : pieces) {
    parser.Feed(piece);
    // Nothing that was given out is taken back.
    const std::string& answer = parser.so_far().answer;
    EXPECT_EQ(answer.substr(0, shown.size()), shown);
    shown = answer;
  }
  return Show(parser.Finish());
}

struct Case {
  const char* model;  // Of tests/data/chat: whose template names the format.
  CompletionStart start;
  std::string completion;
  std::string parsed;
};

std::vector<Case> Cases() {
  const auto any = CompletionStart::kAnywhere;
  const auto reasons = CompletionStart::kInReasoning;
  const auto answers = CompletionStart::kInAnswer;
  return {
      {"qwen3", any,
       "<think>\nHm, 1 < 2.\n</think>\n\nYes.\n\nReally.<|im_end|>",
       "reasoning [Hm, 1 < 2.] answer [Yes.\n\nReally.] ended"},
      {"qwen3", any, "No thought </thin",
       "reasoning [] answer [No thought </thin]"},
      {"qwen3", answers, "\n\nJust so.\n",
       "reasoning [] answer [Just so.\n] ended"},
      {"qwen3", any, "<think>\nnever ends <|im_end|> rest",
       "reasoning [never ends ] answer []"},
      {"qwen3", any,
       "<think>\nx\n</think>\n\nLook:\n<tool_call>\n{\"name\": \"f\", "
       "\"arguments\": {\"é\": [1, \"</tool\"]}}\n</tool_call>\n<tool_call>\n"
       "{\"name\": \"g\", \"arguments\": {}}\n</tool_call><|im_end|>",
       "reasoning [x] answer [Look:] call f {\"é\": [1, \"</tool\"]} call g {} "
       "ended"},
      {"qwen2_5", answers,
       "<tool_call>\n{\"name\": \"f\", oops}\n</tool_call>\nAnd <tool_call>{",
       "reasoning [] answer [And ] broken [\n{\"name\": \"f\", oops}\n] "
       "broken [{]"},
      {"deepseek_r1", reasons,
       "Let me see.\n</think>\n\n42<｜end▁of▁sentence｜>",
       "reasoning [Let me see.] answer [42] ended"},
      {"deepseek_r1", reasons,
       "x</think>\n\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function"
       "<｜tool▁sep｜>f\n```json\n{\"a\": 1}\n```<｜tool▁call▁end｜>\n"
       "<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{}\n```"
       "<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
       "reasoning [x] answer [] call f {\"a\": 1} call g {} ended"},
      {"deepseek_v3_1", answers,
       "Sure.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>"
       "{\"a\":\"b\"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
       "<｜end▁of▁sentence｜>",
       "reasoning [] answer [Sure.] call f {\"a\": \"b\"} ended"},
      {"deepseek_v3_2", reasons,
       "ok</think>Now.\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke "
       "name=\"f\">\n"
       "<｜DSML｜parameter name=\"a b\" string=\"true\">1 </x> \"2\"\n3"
       "</｜DSML｜parameter>\n<｜DSML｜parameter name=\"\" string=\"false\">"
       "[1, {\"k\": null}]</｜DSML｜parameter>\n</｜DSML｜invoke>\n"
       "<｜DSML｜invoke name=\"g\">\n</｜DSML｜invoke>\n"
       "</｜DSML｜function_calls><｜end▁of▁sentence｜>",
       "reasoning [ok] answer [Now.] call f {\"a b\": \"1 </x> "
       "\\\"2\\\"\\n3\", "
       "\"\": [1, {\"k\": null}]} call g {} ended"},
      {"llama3_1", answers,
       "{\"name\": \"f\", \"parameters\": {\"a\": \"b\"}}<|eot_id|>",
       "reasoning [] answer [] call f {\"a\": \"b\"}"},
      {"llama3_1", answers,
       "<|python_tag|>{\"name\": \"f\", \"parameters\": {}}<|eom_id|>",
       "reasoning [] answer [] call f {}"},
      {"llama3", answers, "\nHello <|eot",
       "reasoning [] answer [\nHello <|eot]"},
  };
}

TEST(CompletionParserTest, TakesApartWhatEachFamilyWrites) {
  for (const Case& c : Cases()) {
    EXPECT_EQ(Parse(FormatOf(c.model), c.start, {c.completion}), c.parsed)
        << c.model;
  }
}

// Also inside a character of several bytes, and inside a delimiter.
TEST(CompletionParserTest, CutsMakeNoDifference) {
  for (const Case& c : Cases()) {
    const CompletionFormat format = FormatOf(c.model);
    const std::string_view text = c.completion;
    std::vector<std::string_view> bytes;
    for (size_t i = 0; i < text.size(); ++i) bytes.push_back(text.substr(i, 1));
    EXPECT_EQ(Parse(format, c.start, bytes), c.parsed) << c.model;
    for (size_t cut = 0; cut <= text.size(); ++cut) {
      ASSERT_EQ(Parse(format, c.start, {text.substr(0, cut), text.substr(cut)}),
                c.parsed)
          << c.model << " cut at " << cut;
    }
  }
}

// A prefix of a completion is one too: whatever it is cut at, every cut of it
// gives the same.
TEST(CompletionParserTest, UnfinishedCompletionsAreCutAlike) {
  for (const Case& c : Cases()) {
    const CompletionFormat format = FormatOf(c.model);
    const std::string_view text = c.completion;
    for (size_t end = 0; end < text.size(); end += 3) {
      const std::string whole = Parse(format, c.start, {text.substr(0, end)});
      for (size_t cut = 0; cut <= end; cut += 2) {
        ASSERT_EQ(Parse(format, c.start,
                        {text.substr(0, cut), text.substr(cut, end - cut)}),
                  whole)
            << c.model << " ends at " << end << ", cut at " << cut;
      }
    }
  }
}

TEST(CompletionParserTest, ABraceIsNoCallYet) {
  const std::string_view text = "{1, 2} is a set.<|eot_id|>";
  EXPECT_EQ(Parse(FormatOf("llama3_1"), CompletionStart::kInAnswer, {text}),
            "reasoning [] answer [{1, 2} is a set.]");
}

TEST(CompletionParserTest, ThePromptSaysWhereTheCompletionBegins) {
  const CompletionFormat format = FormatOf("qwen3");
  EXPECT_EQ(StartBehind("<|im_start|>assistant\n", format),
            CompletionStart::kAnywhere);
  EXPECT_EQ(
      StartBehind("<|im_start|>assistant\n<think>\n\n</think>\n\n", format),
      CompletionStart::kInAnswer);
  EXPECT_EQ(StartBehind("<｜Assistant｜><think>\n", format),
            CompletionStart::kInReasoning);
  EXPECT_EQ(StartBehind("<think>", FormatOf("llama3")),
            CompletionStart::kInAnswer);
}

TEST(CompletionParserTest, FormatsAreReadOffTemplates) {
  EXPECT_EQ(FormatOf("llama3").call_form, CallForm::kNone);
  EXPECT_EQ(FormatOf("llama3_2").call_form, CallForm::kWhole);
  EXPECT_EQ(FormatOf("qwen3_instruct_2507").call_form, CallForm::kObject);
  EXPECT_EQ(FormatOf("deepseek_v3").call_form, CallForm::kFenced);
  EXPECT_EQ(FormatOf("deepseek_r1_distill").call_form, CallForm::kFenced);
  EXPECT_EQ(FormatOf("deepseek_v3_1").call_form, CallForm::kNamed);
  EXPECT_EQ(FormatOf("deepseek_v3_2").call_form, CallForm::kMarkup);
  EXPECT_THAT(FormatOf("qwen2_5").think_end, IsEmpty());
  EXPECT_THAT(FormatOf("qwen3"),
              Field(&CompletionFormat::ends, ElementsAre("<|im_end|>")));
}

}  // namespace
}  // namespace cohort
