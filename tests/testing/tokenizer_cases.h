// What the tokenizers library made of texts and ids, compared with a tokenizer.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/decode_stream.h"
#include "model/tokenizer.h"
#include "tests/testing/status_matchers.h"

namespace cohort {

// The member, or `otherwise` where a case leaves it out for being the same.
inline nlohmann::json MemberOr(const nlohmann::json& object, const char* name,
                               const nlohmann::json& otherwise) {
  return object.contains(name) ? object[name] : otherwise;
}

// A case has ids, and what is left out of: text, ids_with_special, decoded,
// decoded_skip_special, steps (a text or null for every id).
inline void CheckTokenizerCase(const Tokenizer& tokenizer,
                               const nlohmann::json& c) {
  const std::vector<int32_t> ids = c["ids"];
  if (c.contains("text")) {
    const std::string text = c["text"];
    EXPECT_THAT(tokenizer.Encode(text),
                IsOkAndHolds(testing::ElementsAreArray(ids)))
        << c;
    const std::vector<int32_t> with_special =
        MemberOr(c, "ids_with_special", c["ids"]);
    EXPECT_THAT(tokenizer.Encode(text, true),
                IsOkAndHolds(testing::ElementsAreArray(with_special)))
        << c;
  }
  const nlohmann::json decoded =
      c.contains("decoded") ? c["decoded"] : c["text"];
  EXPECT_EQ(tokenizer.Decode(ids, false), decoded) << c;
  EXPECT_EQ(tokenizer.Decode(ids, true),
            MemberOr(c, "decoded_skip_special", decoded))
      << c;
  if (!c.contains("steps")) return;
  DecodeStream stream(&tokenizer, /*skip_special_tokens=*/false);
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto step = stream.Step(ids[i]);
    COHORT_ASSERT_OK(step) << c;
    EXPECT_EQ(*step ? nlohmann::json(**step) : nlohmann::json(), c["steps"][i])
        << "step " << i << " of " << c;
  }
}

// {"variants": [{"name", "tokenizer", "cases"}]}.
inline void CheckTokenizerVariants(const nlohmann::json& golden) {
  for (const nlohmann::json& variant : golden["variants"]) {
    SCOPED_TRACE(variant["name"].get<std::string>());
    const auto tokenizer =
        Tokenizer::Parse(variant["tokenizer"].dump(), "", variant["name"]);
    COHORT_ASSERT_OK(tokenizer);
    for (const nlohmann::json& c : variant["cases"]) {
      CheckTokenizerCase(**tokenizer, c);
    }
  }
}

}  // namespace cohort
