// Methods of str that take it apart.
#include <algorithm>

#include "model/jinja/string_methods.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

size_t FirstSpace(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = ByteOf(text.substr(at), 1);
    if (IsSpace(Decode(text.substr(at, length))[0])) return at;
    at += length;
  }
  return text.size();
}

std::vector<std::string_view> SplitSpace(std::string_view text, int64_t most) {
  std::vector<std::string_view> parts;
  text = StripSpace(text, Side::kLeft);
  while (!text.empty() && most-- != 0) {
    const size_t end = FirstSpace(text);
    parts.push_back(text.substr(0, end));
    text = StripSpace(text.substr(end), Side::kLeft);
  }
  // What is left when no more may be split keeps the spaces at its end.
  if (!text.empty()) parts.push_back(text);
  return parts;
}

std::vector<std::string_view> SplitSpaceFromRight(std::string_view text,
                                                  int64_t most) {
  std::vector<std::string_view> parts;
  text = StripSpace(text, Side::kRight);
  while (!text.empty() && most-- != 0) {
    size_t begin = text.size();
    while (begin > 0) {
      size_t last = begin - 1;
      while (last > 0 && (static_cast<uint8_t>(text[last]) & 0xC0) == 0x80) {
        --last;
      }
      if (IsSpace(Decode(text.substr(last, begin - last))[0])) break;
      begin = last;
    }
    parts.push_back(text.substr(begin));
    text = StripSpace(text.substr(0, begin), Side::kRight);
  }
  if (!text.empty()) parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> SplitAt(std::string_view text,
                                      std::string_view mark, int64_t most) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  while (most-- != 0) {
    const size_t at = text.find(mark, begin);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(begin, at - begin));
    begin = at + mark.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

std::vector<std::string_view> SplitAtFromRight(std::string_view text,
                                               std::string_view mark,
                                               int64_t most) {
  std::vector<std::string_view> parts;
  while (most-- != 0) {
    const size_t at = text.rfind(mark);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(at + mark.size()));
    text = text.substr(0, at);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

Result ListOf(const Value& self, const std::vector<std::string_view>& parts) {
  std::vector<Value> items;
  items.reserve(parts.size());
  for (const std::string_view part : parts) items.push_back(PartOf(self, part));
  return MakeList(std::move(items));
}

template <bool kFromRight>
Result Split(const Value& self, const Bound& arguments) {
  COHORT_ASSIGN_OR_RETURN(int64_t most, arguments.Int(1, -1));
  if (most < 0) most = -1;
  if (!arguments.HasSome(0)) {
    return ListOf(self, kFromRight ? SplitSpaceFromRight(self.text(), most)
                                   : SplitSpace(self.text(), most));
  }
  COHORT_ASSIGN_OR_RETURN(const std::string mark, arguments.Text(0));
  if (mark.empty()) return ValueError("empty separator");
  return ListOf(self, kFromRight ? SplitAtFromRight(self.text(), mark, most)
                                 : SplitAt(self.text(), mark, most));
}

Result SplitIntoLines(const Value& self, const Bound& arguments) {
  std::vector<Value> items;
  for (const std::string& line :
       SplitLines(self.text(), arguments.Flag(0, false))) {
    items.push_back(PartOf(self, line));
  }
  return MakeList(std::move(items));
}

template <bool kFromRight>
Result Partition(const Value& self, const Bound& arguments) {
  COHORT_ASSIGN_OR_RETURN(const std::string mark, arguments.Text(0));
  if (mark.empty()) return ValueError("empty separator");
  const std::string_view text = self.text();
  const size_t at = kFromRight ? text.rfind(mark) : text.find(mark);
  if (at == std::string_view::npos) {
    return kFromRight ? MakeTuple({PartOf(self, ""), PartOf(self, ""), self})
                      : MakeTuple({self, PartOf(self, ""), PartOf(self, "")});
  }
  return MakeTuple({PartOf(self, text.substr(0, at)), PartOf(self, mark),
                    PartOf(self, text.substr(at + mark.size()))});
}

}  // namespace

const MethodEntry* FindSplitMethod(std::string_view name) {
  static const std::vector<MethodEntry>* const methods =
      new std::vector<MethodEntry>{
          {"partition", {{"sep"}, 1, false}, Partition<false>},
          {"rpartition", {{"sep"}, 1, false}, Partition<true>},
          {"rsplit", {{"sep", "maxsplit"}, 0, true}, Split<true>},
          {"split", {{"sep", "maxsplit"}, 0, true}, Split<false>},
          {"splitlines", {{"keepends"}, 0, true}, SplitIntoLines},
      };
  for (const MethodEntry& method : *methods) {
    if (method.name == name) return &method;
  }
  return nullptr;
}

}  // namespace cohort::jinja
