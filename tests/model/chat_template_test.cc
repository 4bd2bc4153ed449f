#include "model/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kData[] = "tests/data/";

std::vector<ordered_json> ReadLines(const std::string& path) {
  std::ifstream file(path);
  std::vector<ordered_json> rows;
  for (std::string line; std::getline(file, line);) {
    rows.push_back(ordered_json::parse(line));
  }
  EXPECT_FALSE(rows.empty()) << path;
  return rows;
}

absl::StatusOr<RenderedChat> RenderText(const std::string& source,
                                        const ordered_json& kwargs = {}) {
  absl::StatusOr<std::unique_ptr<ChatTemplate>> parsed =
      ChatTemplate::Parse(source, "", "t");
  if (!parsed.ok()) return parsed.status();
  const ordered_json request = {
      {"messages", {{{"role", "user"}, {"content", "hi"}}}},
      {"kwargs", kwargs}};
  return (*parsed)->Render(request.dump(), {.max_steps = 5'000'000});
}

std::string TextOf(const std::string& source) {
  const absl::StatusOr<RenderedChat> chat = RenderText(source);
  return chat.ok() ? chat->text : chat.status().ToString();
}

// Whether `got` is what `row` says: a text, or that there must be an error.
void ExpectAsSaid(const absl::StatusOr<RenderedChat>& got,
                  const ordered_json& row) {
  if (row.contains("error")) {
    EXPECT_FALSE(got.ok()) << "should fail: " << row["error"];
    return;
  }
  COHORT_ASSERT_OK(got);
  EXPECT_EQ(got->text, row["rendered"].get<std::string>());
  if (row.contains("generated")) {
    EXPECT_EQ(ordered_json(got->generated), row["generated"]);
  }
}

// The templates that models are published with, and what transformers makes of
// conversations under them.
TEST(ChatTemplateTest, RendersPublishedTemplatesAsTransformersDoes) {
  const std::string folder = std::string(kData) + "chat/";
  const ordered_json given =
      ordered_json::parse(std::ifstream(folder + "conversations.json"));
  std::map<std::string, std::unique_ptr<ChatTemplate>> templates;
  for (const ordered_json& row : ReadLines(folder + "cases.jsonl")) {
    const std::string name = row["template"];
    SCOPED_TRACE(name + " " + row["conversation"].dump() + " " +
                 row["kwargs"].dump());
    if (!templates.contains(name)) {
      auto parsed =
          ChatTemplate::Parse(TempDir::Read(folder + name + ".jinja"),
                              row["special_tokens"].dump(), name + ".jinja");
      COHORT_ASSERT_OK(parsed);
      templates[name] = *std::move(parsed);
    }
    // As texts: this reader would make floats of ints past 64 bits.
    const auto find = [&](const char* kind, const ordered_json& key) {
      return key.is_null()
                 ? std::string("null")
                 : given[kind][key.get<std::string>()].get<std::string>();
    };
    ExpectAsSaid(
        templates[name]->Render(
            "{\"messages\": " + find("conversations", row["conversation"]) +
            ", \"tools\": " + find("tools", row["tools"]) +
            ", \"kwargs\": " + row["kwargs"].dump() + "}"),
        row);
  }
  EXPECT_EQ(templates.size(), 12u);
}

// One line for each rule of the language, and what Jinja2 makes of it.
TEST(ChatTemplateTest, FollowsJinjaInEveryConstruct) {
  const std::vector<ordered_json> rows =
      ReadLines(std::string(kData) + "jinja_cases.jsonl");
  for (size_t i = 1; i < rows.size(); ++i) {
    SCOPED_TRACE(rows[i]["template"].dump());
    ExpectAsSaid(RenderText(rows[i]["template"], rows[0]["variables"]),
                 rows[i]);
  }
}

TEST(ChatTemplateTest, ErrorsNameTheLine) {
  EXPECT_THAT(RenderText("a\n{% frob %}\n"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(StartsWith("t: line 2: "), HasSubstr("frob"))));
  EXPECT_THAT(RenderText("{% for m in messages %}\n\n{{ m.content + 1 }}\n"
                         "{% endfor %}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "t: line 3: TypeError: can only concatenate str (not "
                       "\"int\") to str"));
  EXPECT_THAT(RenderText("{{ x|frob }}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "t: line 1: TemplateAssertionError: No filter named "
                       "'frob'."));
}

TEST(ChatTemplateTest, NoMessagesAreAnError) {
  const auto parsed = ChatTemplate::Parse("x", "", "t");
  COHORT_ASSERT_OK(parsed);
  for (const char* request :
       {R"({"messages": []})", R"({})", R"({"messages": null})",
        R"({"messages": "hi"})", R"({"messages": ["hi"]})", "[]", "{", ""}) {
    EXPECT_FALSE((*parsed)->Render(request).ok()) << request;
  }
}

// A tool call has no content; templates ask whether the key is there.
TEST(ChatTemplateTest, KeysWhoseValueIsNullAreKept) {
  const auto parsed = ChatTemplate::Parse(
      "{{ messages[0]['content'] is none }}{{ 'content' in messages[0] }}", "",
      "t");
  COHORT_ASSERT_OK(parsed);
  const auto chat = (*parsed)->Render(
      R"({"messages": [{"role": "assistant", "content": null}]})");
  COHORT_ASSERT_OK(chat);
  EXPECT_EQ(chat->text, "TrueTrue");
}

TEST(ChatTemplateTest, IntsOfAnySizeStayWhatTheyAre) {
  const auto parsed =
      ChatTemplate::Parse("{{ messages[0].content|tojson }}", "", "t");
  COHORT_ASSERT_OK(parsed);
  const std::string content =
      R"({"z": 1, "a": 12345678901234567890123, "f": 1.0, "e": 1e-07})";
  const auto chat =
      (*parsed)->Render(R"({"messages": [{"content": )" + content + "}]}");
  COHORT_ASSERT_OK(chat);
  EXPECT_EQ(chat->text, content);
}

TEST(ChatTemplateTest, FindsTheTemplateInAFolder) {
  const TempDir folder;
  EXPECT_THAT(
      ChatTemplate::Load(folder.path()),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("chat_template")));
  const std::string request =
      R"({"messages": [{"role": "user", "content": "hi"}]})";
  const std::string tools =
      R"({"messages": [{"role": "user", "content": "hi"}], "tools": [{}]})";
  const auto render = [&](const std::string& asked) {
    const auto loaded = ChatTemplate::Load(folder.path());
    if (!loaded.ok()) return loaded.status().ToString();
    const auto chat = (*loaded)->Render(asked);
    return chat.ok() ? chat->text : chat.status().ToString();
  };

  folder.Write("tokenizer_config.json", R"({"bos_token": "<s>",
    "eos_token": {"content": "</s>", "lstrip": false}, "pad_token": null,
    "chat_template": "{{ bos_token }}{{ eos_token }}{{ pad_token }}"})");
  EXPECT_EQ(render(request), "<s></s>");
  folder.Write("special_tokens_map.json",
               R"({"bos_token": "other", "pad_token": "<pad>"})");
  EXPECT_EQ(render(request), "<s></s><pad>");

  folder.Write("tokenizer_config.json", R"({"chat_template": [
    {"name": "default", "template": "plain"},
    {"name": "tool_use", "template": "tools"}]})");
  EXPECT_EQ(render(request), "plain");
  EXPECT_EQ(render(tools), "tools");

  folder.Write("chat_template.jinja", "file {{ bos_token }}");
  EXPECT_EQ(render(tools), "file other");

  folder.Write("chat_template.jinja", "\n{% if %}");
  EXPECT_THAT(render(request),
              HasSubstr(folder.path() + "/chat_template.jinja: line 2: "));
  folder.Write("tokenizer_config.json", "[");
  EXPECT_THAT(render(request), HasSubstr("tokenizer_config.json"));
}

TEST(ChatTemplateTest, BrokenConfigsAreNamed) {
  const TempDir folder;
  for (const char* config :
       {R"({"chat_template": 5})", R"({"chat_template": [5]})",
        R"({"chat_template": [{"name": "x", "template": "y"}]})"}) {
    folder.Write("tokenizer_config.json", config);
    EXPECT_THAT(ChatTemplate::Load(folder.path()),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("tokenizer_config.json: chat_template")))
        << config;
  }
}

std::string Repeat(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

// What would take the stack, the memory or for ever is an error.
TEST(ChatTemplateTest, RunawayTemplatesEnd) {
  const std::string sources[] = {
      "{{ " + Repeat("(", 100000) + "1" + Repeat(")", 100000) + " }}",
      "{{ " + Repeat("-", 100000) + "1 }}",
      "{{ " + Repeat("not ", 100000) + "1 }}",
      "{{ 1" + Repeat(" + 1", 100000) + " }}",
      "{{ x" + Repeat(".x", 100000) + " }}",
      "{{ x" + Repeat("|string", 50000) + " }}",
      Repeat("{% if true %}", 20000) + Repeat("{% endif %}", 20000),
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% for i in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
      "{% for i in range(100000) %}{% for j in range(100000) %}"
      "{% endfor %}{% endfor %}",
      "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}"
      "{% set ns.x = [ns.x] %}{% endfor %}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(100) %}"
      "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
      "{% set ns = namespace(x='a') %}{% for i in range(100) %}"
      "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(1000) %}"
      "{% set ns.x = ns.x|map('string') %}{% endfor %}{{ ns.x|list }}",
      "{{ 'a' * 10000000000 }}",
      "{{ 2 ** 100000000000 }}",
      "{{ '%1000000000d' % 1 }}",
      "{{ '{:1000000000}'.format(1) }}",
      "{{ 'a'.center(10000000000) }}",
      "{{ 'a'|indent(10000000000) }}",
      "{{ range(1000000) }}",
      "{{ [1]|batch(10000000000, 0)|list }}",
      "{{ [1]|slice(10000000000)|list }}",
      "{{ ('a' * 1000000).replace('', 'b' * 1000000) }}",
  };
  for (const std::string& source : sources) {
    EXPECT_FALSE(RenderText(source).ok()) << source.substr(0, 120);
  }
}

TEST(ChatTemplateTest, NamespacesMayHoldEachOther) {
  EXPECT_EQ(TextOf("{% set a = namespace() %}{% set b = namespace(a=a) %}"
                   "{% set a.b = [b] %}{{ a }}"),
            "<Namespace {'b': [<Namespace {'a': <Namespace {...}>}>]}>");
}

// A loop that was kept runs its test in a macro that has ended.
TEST(ChatTemplateTest, LoopsOutliveTheirMacro) {
  EXPECT_EQ(TextOf("{% set ns = namespace() %}{% macro m(least) %}"
                   "{% for i in [1, 2, 3] if i > least %}"
                   "{% set ns.loop = loop %}{% break %}{% endfor %}"
                   "{% endmacro %}{{ m(1) }}{{ ns.loop.nextitem }}"),
            "3");
}

TEST(ChatTemplateTest, TextThatIsNoUtf8IsRefused) {
  EXPECT_THAT(RenderText("\xff"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("UTF-8")));
  EXPECT_FALSE(RenderText(R"({{ "\ud800" }})").ok());
  EXPECT_EQ(TextOf(R"({{ "\ud800"|length }})"), "1");
}

TEST(ChatTemplateTest, TheCallerSaysWhetherTheAssistantIsNext) {
  const auto parsed =
      ChatTemplate::Parse("{{ add_generation_prompt }}", "", "t");
  COHORT_ASSERT_OK(parsed);
  const auto render = [&](const std::string& kwargs, bool next) {
    return (*parsed)
        ->Render("{\"messages\": [{}], \"kwargs\": " + kwargs + "}",
                 {.add_generation_prompt = next})
        ->text;
  };
  EXPECT_EQ(render("{}", false), "False");
  EXPECT_EQ(render("{}", true), "True");
  EXPECT_EQ(render(R"({"add_generation_prompt": false})", true), "False");
}

TEST(ChatTemplateTest, TheDateIsThatOfTheRender) {
  const auto parsed =
      ChatTemplate::Parse("{{ strftime_now('%d %b %Y') }}", "", "t");
  COHORT_ASSERT_OK(parsed);
  const absl::Time time =
      absl::FromCivil(absl::CivilDay(2024, 7, 26), absl::LocalTimeZone());
  const auto chat = (*parsed)->Render(R"({"messages": [{}]})", {.now = time});
  COHORT_ASSERT_OK(chat);
  EXPECT_EQ(chat->text, "26 Jul 2024");
}

}  // namespace
}  // namespace cohort
