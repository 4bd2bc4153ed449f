// Rows of the tables in tests/data, one case each. The first line of a table is
// a note.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "proto/types.pb.h"

namespace cohort {

struct CaseRow {
  std::string place;  // file:line
  nlohmann::json row;
  std::string completion;
};

// `completion` as it is, or from bytes in base 64, or from [text, times] parts.
inline std::string CaseCompletion(const nlohmann::json& row) {
  std::string text = row.value("completion", "");
  if (row.contains("b64")) {
    EXPECT_TRUE(absl::Base64Unescape(row["b64"].get<std::string>(), &text));
  }
  for (const auto& part : row.value("parts", nlohmann::json::array())) {
    for (int i = 0; i < part[1].get<int>(); ++i) {
      text += part[0].get_ref<const std::string&>();
    }
  }
  return text;
}

inline std::vector<CaseRow> ReadCases(const std::string& name) {
  std::vector<CaseRow> cases;
  std::ifstream file("tests/data/" + name);
  std::string line;
  EXPECT_TRUE(std::getline(file, line)) << name;
  for (int number = 2; std::getline(file, line); ++number) {
    nlohmann::json row = nlohmann::json::parse(line);
    std::string completion = CaseCompletion(row);
    cases.push_back({absl::StrCat(name, ":", number), std::move(row),
                     std::move(completion)});
  }
  return cases;
}

inline Prompt CasePrompt(const nlohmann::json& row) {
  Prompt prompt;
  prompt.set_id("p");
  prompt.set_text(row.value("prompt", ""));
  prompt.set_answer(row.value("answer", ""));
  prompt.set_target(row.value("target", int64_t{0}));
  for (const auto& number : row.value("numbers", nlohmann::json::array())) {
    prompt.add_numbers(number.get<int64_t>());
  }
  return prompt;
}

}  // namespace cohort
