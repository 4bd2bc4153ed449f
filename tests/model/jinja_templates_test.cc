// Random templates, rendered here and by Jinja2; skipped where the environment
// lacks it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "model/chat_template.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using nlohmann::ordered_json;

TEST(JinjaTemplatesTest, RandomTemplatesRenderAsInJinja) {
  const std::string python = COHORT_PYTHON;
  if (std::system(
          (python + " -c 'import jinja2, transformers' 2>/dev/null").c_str()) !=
      0) {
    GTEST_SKIP() << "no jinja2 and transformers in " << python;
  }
  const TempDir folder;
  const std::string command =
      python + " -W ignore tests/model/jinja_templates.py 1 1500 " +
      (folder / "rows") + " 2>" + (folder / "log");
  ASSERT_EQ(std::system(command.c_str()), 0) << TempDir::Read(folder / "log");
  std::ifstream rows(folder / "rows");
  std::string line;
  std::getline(rows, line);
  const ordered_json variables = ordered_json::parse(line)["variables"];
  const std::string request = ordered_json{
      {"messages", {ordered_json::object()}},
      {"kwargs", variables}}.dump();
  int texts = 0;
  while (std::getline(rows, line)) {
    const ordered_json row = ordered_json::parse(line);
    const std::string source = row["template"];
    const auto parsed = ChatTemplate::Parse(source, "", "t");
    const absl::StatusOr<RenderedChat> chat =
        parsed.ok() ? (*parsed)->Render(request) : parsed.status();
    if (row.contains("error")) {
      EXPECT_FALSE(chat.ok()) << source << "\nshould fail: " << row["error"];
      continue;
    }
    ASSERT_TRUE(chat.ok()) << source << "\n" << chat.status();
    EXPECT_EQ(chat->text, row["rendered"].get<std::string>()) << source;
    ++texts;
  }
  EXPECT_GT(texts, 150);
}

}  // namespace
}  // namespace cohort
