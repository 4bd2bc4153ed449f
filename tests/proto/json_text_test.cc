#include "proto/json_text.h"

#include <string>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace cohort {
namespace {

using Json = nlohmann::json;

// What another JSON reader makes of our text.
std::string ReadBack(std::string_view text) {
  std::string json;
  AppendJsonText(text, &json);
  return Json::parse(json).get<std::string>();
}

TEST(JsonTextTest, AnyTextIsReadBackAsItWas) {
  std::string all;
  for (int c = 0; c < 0x80; ++c) all += static_cast<char>(c);
  for (const std::string& text :
       {all, std::string("h\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x8c\x8d\xed\x9f\xbf"),
        std::string()}) {
    EXPECT_EQ(ReadBack(text), text);
    EXPECT_TRUE(IsUtf8(text));
  }
}

TEST(JsonTextTest, EveryByteOfNoCharacterBecomesOneReplacement) {
  const struct {
    std::string text;
    std::string read;
  } cases[] = {{"a\xff"
                "b",
                "a\xef\xbf\xbd"
                "b"},
               {"\xe4\xb8", "\xef\xbf\xbd\xef\xbf\xbd"},  // Cut.
               {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},  // Overlong.
               {"\xed\xa0\x80x", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx"}};
  for (const auto& [text, read] : cases) {
    std::string json;
    EXPECT_FALSE(AppendJsonText(text, &json));
    EXPECT_EQ(Json::parse(json).get<std::string>(), read);
    EXPECT_FALSE(IsUtf8(text));
  }
}

// nlohmann-json refuses what is not UTF-8: two opinions on every pair of bytes
// behind every first byte.
TEST(JsonTextTest, WellFormedIsWhatAnotherReaderTakes) {
  for (int first = 0x80; first < 0x100; ++first) {
    for (int second = 0x7f; second < 0x100; ++second) {
      for (const std::string tail : {"", "\x80", "\x80\x80"}) {
        const std::string text =
            std::string{static_cast<char>(first), static_cast<char>(second)} +
            tail;
        EXPECT_EQ(IsUtf8(text), Json::accept("\"" + text + "\""))
            << first << " " << second << " " << tail.size();
      }
    }
  }
}

}  // namespace
}  // namespace cohort
