#include "model/jinja/string_methods.h"

#include <algorithm>

#include "model/jinja/attributes.h"
#include "model/jinja/cat.h"
#include "model/jinja/format.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

template <std::string (*kMap)(std::string_view)>
Result MapText(const Value& self, const Bound&) {
  return MakeString(kMap(self.text()), self.markup());
}

// True if every character of a text that has any is in the class.
template <bool (*kIs)(char32_t)>
Result AllAre(const Value& self, const Bound&) {
  const std::u32string text = Decode(self.text());
  return Value::Bool(!text.empty() &&
                     std::all_of(text.begin(), text.end(), kIs));
}

Result AllPrintable(const Value& self, const Bound&) {
  const std::u32string text = Decode(self.text());
  return Value::Bool(std::all_of(text.begin(), text.end(), IsPrintable));
}

Result AllAscii(const Value& self, const Bound&) {
  return Value::Bool(IsAscii(self.text()));
}

Result IsName(const Value& self, const Bound&) {
  return Value::Bool(IsIdentifier(self.text()));
}

// Some letter has the case and none has the other.
template <bool (*kRight)(char32_t), bool (*kWrong)(char32_t)>
Result HasCase(const Value& self, const Bound&) {
  bool found = false;
  for (const char32_t c : Decode(self.text())) {
    if (kWrong(c) || IsTitle(c)) return Value::Bool(false);
    found = found || kRight(c);
  }
  return Value::Bool(found);
}

Result HasTitleCase(const Value& self, const Bound&) {
  bool found = false;
  bool after_letter = false;
  for (const char32_t c : Decode(self.text())) {
    if (IsUpper(c) || IsTitle(c)) {
      if (after_letter) return Value::Bool(false);
      after_letter = found = true;
    } else if (IsLower(c)) {
      if (!after_letter) return Value::Bool(false);
    } else {
      after_letter = false;
    }
  }
  return Value::Bool(found);
}

template <Side kSide>
Result StripText(const Value& self, const Bound& arguments) {
  if (!arguments.HasSome(0)) {
    return PartOf(self, StripSpace(self.text(), kSide));
  }
  if (!arguments[0].Is(Kind::kString)) {
    return TypeError("strip arg must be None or str");
  }
  return PartOf(self, StripCharacters(self.text(), arguments[0].text(), kSide));
}

// The part of the text that "start" and "end" leave, in characters; npos for
// a start past the end, where nothing is found, not even nothing.
struct Span {
  int64_t start = 0;
  std::string_view text;
  bool is_past_end = false;
};

absl::StatusOr<Span> SpanOf(const Value& self, const Bound& arguments) {
  const std::string_view text = self.text();
  const int64_t size = CountCharacters(text);
  const auto place = [&](size_t i,
                         int64_t fallback) -> absl::StatusOr<int64_t> {
    if (!arguments.HasSome(i)) return fallback;
    COHORT_ASSIGN_OR_RETURN(const int64_t at, arguments.Int(i, fallback));
    return at < 0 ? std::max<int64_t>(at + size, 0) : at;
  };
  COHORT_ASSIGN_OR_RETURN(const int64_t start, place(1, 0));
  COHORT_ASSIGN_OR_RETURN(const int64_t end, place(2, size));
  Span span;
  span.start = start;
  if (start > size || start > end) {
    span.is_past_end = true;
    return span;
  }
  const size_t first = ByteOf(text, start);
  span.text = text.substr(first, ByteOf(text, std::min(end, size)) - first);
  return span;
}

// Characters before the first or last `wanted`; -1 if there is none.
template <bool kLast>
absl::StatusOr<int64_t> Search(const Value& self, const Bound& arguments) {
  COHORT_ASSIGN_OR_RETURN(const std::string wanted, arguments.Text(0));
  COHORT_ASSIGN_OR_RETURN(const Span span, SpanOf(self, arguments));
  if (span.is_past_end) return -1;
  const size_t at = kLast ? span.text.rfind(wanted) : span.text.find(wanted);
  if (at == std::string_view::npos) return -1;
  return span.start + CountCharacters(span.text.substr(0, at));
}

template <bool kLast>
Result Find(const Value& self, const Bound& arguments) {
  COHORT_ASSIGN_OR_RETURN(const int64_t at, Search<kLast>(self, arguments));
  return Value::Int(at);
}

template <bool kLast>
Result Index(const Value& self, const Bound& arguments) {
  COHORT_ASSIGN_OR_RETURN(const int64_t at, Search<kLast>(self, arguments));
  if (at < 0) return ValueError("substring not found");
  return Value::Int(at);
}

Result Count(const Value& self, const Bound& arguments) {
  COHORT_ASSIGN_OR_RETURN(const std::string wanted, arguments.Text(0));
  COHORT_ASSIGN_OR_RETURN(const Span span, SpanOf(self, arguments));
  if (span.is_past_end) return Value::Int(0);
  if (wanted.empty()) return Value::Int(CountCharacters(span.text) + 1);
  int64_t count = 0;
  for (size_t at = span.text.find(wanted); at != std::string_view::npos;
       at = span.text.find(wanted, at + wanted.size())) {
    ++count;
  }
  return Value::Int(count);
}

template <bool kAtEnd>
Result Touches(const Value& self, const Bound& arguments) {
  COHORT_ASSIGN_OR_RETURN(const Span span, SpanOf(self, arguments));
  std::vector<Value> wanted = {arguments[0]};
  if (arguments[0].Is(Kind::kTuple)) wanted = arguments[0].items();
  for (const Value& text : wanted) {
    if (!text.Is(Kind::kString)) {
      return TypeError(Cat(kAtEnd ? "endswith" : "startswith",
                           " first arg must be str or a tuple of str, not ",
                           TypeName(text)));
    }
    const std::string_view part = text.text();
    if (span.is_past_end || span.text.size() < part.size()) continue;
    const size_t at = kAtEnd ? span.text.size() - part.size() : 0;
    if (span.text.substr(at, part.size()) == part) return Value::Bool(true);
  }
  return Value::Bool(false);
}

Result ReplaceText(const Value& self, const Bound& arguments) {
  COHORT_ASSIGN_OR_RETURN(const std::string old, arguments.Text(0));
  COHORT_ASSIGN_OR_RETURN(std::string fresh, arguments.Text(1));
  COHORT_ASSIGN_OR_RETURN(const int64_t count, arguments.Int(2, -1));
  if (self.markup() && !arguments[1].markup()) fresh = EscapeHtml(fresh);
  // At most one piece per character, and one at the end.
  const size_t most =
      (self.text().size() / std::max<size_t>(old.size(), 1) + 1);
  if (fresh.size() * most > kMaxStringBytes * 4) {
    const int64_t pieces = old.empty() ? static_cast<int64_t>(most)
                                       : Count(self, arguments)->small();
    if (static_cast<size_t>(pieces) * fresh.size() > kMaxStringBytes) {
      return absl::ResourceExhaustedError("a text grows too large");
    }
  }
  return MakeString(Replace(self.text(), old, fresh, count), self.markup());
}

Result RemovePrefix(const Value& self, const Bound& arguments) {
  COHORT_ASSIGN_OR_RETURN(const std::string prefix, arguments.Text(0));
  std::string_view text = self.text();
  if (text.substr(0, prefix.size()) == prefix) {
    text.remove_prefix(prefix.size());
  }
  return PartOf(self, text);
}

Result RemoveSuffix(const Value& self, const Bound& arguments) {
  COHORT_ASSIGN_OR_RETURN(const std::string suffix, arguments.Text(0));
  std::string_view text = self.text();
  if (text.size() >= suffix.size() &&
      text.substr(text.size() - suffix.size()) == suffix) {
    text.remove_suffix(suffix.size());
  }
  return PartOf(self, text);
}

template <char kAlign>
Result PadText(const Value& self, const Bound& arguments) {
  COHORT_ASSIGN_OR_RETURN(const int64_t width, arguments.Int(0, 0));
  COHORT_ASSIGN_OR_RETURN(const std::string fill, arguments.Text(1, " "));
  const std::u32string mark = Decode(fill);
  if (mark.size() != 1) {
    return TypeError("The fill character must be exactly one character long");
  }
  if (width > kMaxWidth) {
    return absl::ResourceExhaustedError("a text grows too large");
  }
  if (kAlign != '^') {
    return MakeString(Pad(self.text(), width, mark[0], kAlign), self.markup());
  }
  // str.center() puts the odd one left where the width is odd.
  const int64_t room = width - CountCharacters(self.text());
  if (room <= 0) return self;
  const int64_t left = room / 2 + (room & width & 1);
  return MakeString(
      Pad(Pad(self.text(), width - left, mark[0], '<'), width, mark[0], '>'),
      self.markup());
}

Result FillZeros(const Value& self, const Bound& arguments) {
  COHORT_ASSIGN_OR_RETURN(const int64_t width, arguments.Int(0, 0));
  if (width > kMaxWidth) {
    return absl::ResourceExhaustedError("a text grows too large");
  }
  std::string_view text = self.text();
  std::string sign;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    sign = text[0];
    text.remove_prefix(1);
  }
  return MakeString(
      sign + Pad(text, width - static_cast<int64_t>(sign.size()), '0', '>'),
      self.markup());
}

Result ExpandTabs(const Value& self, const Bound& arguments) {
  COHORT_ASSIGN_OR_RETURN(const int64_t tab, arguments.Int(0, 8));
  if (tab > 1024) return absl::ResourceExhaustedError("a tab is too wide");
  std::string result;
  int64_t column = 0;
  for (const char32_t c : Decode(self.text())) {
    if (c == '\t') {
      const int64_t spaces = tab > 0 ? tab - column % tab : 0;
      result.append(static_cast<size_t>(spaces), ' ');
      column += spaces;
    } else {
      Append(c, &result);
      column = c == '\n' || c == '\r' ? 0 : column + 1;
    }
  }
  return MakeString(std::move(result), self.markup());
}

Result JoinTexts(const Value& self, const Bound& arguments) {
  if (!arguments[0].Is(Kind::kUndefined) && !Iterate(arguments[0]).ok()) {
    return TypeError("can only join an iterable");
  }
  COHORT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(arguments[0]));
  std::string result;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].Is(Kind::kString)) {
      return TypeError(Cat("sequence item ", i, ": expected str instance, ",
                           TypeName(items[i]), " found"));
    }
    if (i > 0) result += self.text();
    const bool escape = self.markup() && !items[i].markup();
    result += escape ? EscapeHtml(items[i].text()) : items[i].text();
    if (result.size() > kMaxStringBytes) break;
  }
  return MakeString(std::move(result), self.markup());
}

// table: by code point, another one, a text, or None for nothing.
Result Translate(const Value& self, const Bound& arguments) {
  std::string result;
  for (const char32_t c : Decode(self.text())) {
    COHORT_ASSIGN_OR_RETURN(
        const Value to,
        GetItem(arguments[0], Value::Int(static_cast<int64_t>(c))));
    if (to.Is(Kind::kUndefined)) {
      Append(c, &result);
    } else if (to.Is(Kind::kString)) {
      result += to.text();
    } else if (to.IsInteger() && !to.IsBig() && to.small() >= 0 &&
               to.small() <= 0x10FFFF) {
      Append(static_cast<char32_t>(to.small()), &result);
    } else if (!to.Is(Kind::kNone)) {
      return TypeError("character mapping must return integer, None or str");
    }
    if (result.size() > kMaxStringBytes) break;
  }
  return MakeString(std::move(result), self.markup());
}

Result EncodeText(const Value& self, const Bound& arguments) {
  COHORT_ASSIGN_OR_RETURN(const std::string encoding,
                          arguments.Text(0, "utf-8"));
  const std::string name = Lower(encoding);
  if (name == "utf-8" || name == "utf8") return Value::Bytes(self.text());
  if (name == "ascii" && IsAscii(self.text())) return Value::Bytes(self.text());
  return Error("UnicodeEncodeError", Cat("cannot encode as ", encoding));
}

const std::vector<MethodEntry>& Methods() {
  static const std::vector<MethodEntry>* const methods =
      new std::vector<MethodEntry>{
          {"capitalize", {{}, 0, false}, MapText<Capitalize>},
          {"casefold", {{}, 0, false}, MapText<FoldCase>},
          {"center", {{"width", "fillchar"}, 1, false}, PadText<'^'>},
          {"count", {{"sub", "start", "end"}, 1, false}, Count},
          {"encode", {{"encoding", "errors"}, 0, true}, EncodeText},
          {"endswith", {{"suffix", "start", "end"}, 1, false}, Touches<true>},
          {"expandtabs", {{"tabsize"}, 0, true}, ExpandTabs},
          {"find", {{"sub", "start", "end"}, 1, false}, Find<false>},
          {"index", {{"sub", "start", "end"}, 1, false}, Index<false>},
          {"isalnum", {{}, 0, false}, AllAre<IsAlnum>},
          {"isalpha", {{}, 0, false}, AllAre<IsAlpha>},
          {"isascii", {{}, 0, false}, AllAscii},
          {"isdecimal", {{}, 0, false}, AllAre<IsDecimal>},
          {"isdigit", {{}, 0, false}, AllAre<IsDigit>},
          {"isidentifier", {{}, 0, false}, IsName},
          {"islower", {{}, 0, false}, HasCase<IsLower, IsUpper>},
          {"isnumeric", {{}, 0, false}, AllAre<IsNumeric>},
          {"isprintable", {{}, 0, false}, AllPrintable},
          {"isspace", {{}, 0, false}, AllAre<IsSpace>},
          {"istitle", {{}, 0, false}, HasTitleCase},
          {"isupper", {{}, 0, false}, HasCase<IsUpper, IsLower>},
          {"join", {{"iterable"}, 1, false}, JoinTexts},
          {"ljust", {{"width", "fillchar"}, 1, false}, PadText<'<'>},
          {"lower", {{}, 0, false}, MapText<Lower>},
          {"lstrip", {{"chars"}, 0, false}, StripText<Side::kLeft>},
          {"removeprefix", {{"prefix"}, 1, false}, RemovePrefix},
          {"removesuffix", {{"suffix"}, 1, false}, RemoveSuffix},
          {"replace", {{"old", "new", "count"}, 2, false}, ReplaceText},
          {"rfind", {{"sub", "start", "end"}, 1, false}, Find<true>},
          {"rindex", {{"sub", "start", "end"}, 1, false}, Index<true>},
          {"rjust", {{"width", "fillchar"}, 1, false}, PadText<'>'>},
          {"rstrip", {{"chars"}, 0, false}, StripText<Side::kRight>},
          {"startswith",
           {{"prefix", "start", "end"}, 1, false},
           Touches<false>},
          {"strip", {{"chars"}, 0, false}, StripText<Side::kBoth>},
          {"swapcase", {{}, 0, false}, MapText<SwapCase>},
          {"title", {{}, 0, false}, MapText<TitleWords>},
          {"translate", {{"table"}, 1, false}, Translate},
          {"upper", {{}, 0, false}, MapText<Upper>},
          {"zfill", {{"width"}, 1, false}, FillZeros},
      };
  return *methods;
}

Result FormatMap(const Value& self, Arguments& arguments) {
  if (!arguments.named.empty()) {
    return TypeError("format_map() takes no keyword arguments");
  }
  if (arguments.positional.size() != 1) {
    return TypeError(Cat("format_map() takes exactly one argument (",
                         arguments.positional.size(), " given)"));
  }
  if (!arguments.positional[0].Is(Kind::kDict)) {
    return TypeError("format_map() argument must be a mapping");
  }
  Arguments named;
  for (const auto& [key, value] : arguments.positional[0].dict().entries) {
    if (key.Is(Kind::kString)) named.named.emplace_back(key.text(), value);
  }
  return FormatBraces(self, named);
}

}  // namespace

Value PartOf(const Value& whole, std::string_view text) {
  return Value::String(std::string(text), whole.markup());
}

std::optional<Value> FindStringMethod(const Value& text,
                                      std::string_view name) {
  if (name == "format") {
    return MakeCallable("format", [text](Arguments& arguments) {
      return FormatBraces(text, arguments);
    });
  }
  if (name == "format_map") {
    return MakeCallable("format_map", [text](Arguments& arguments) {
      return FormatMap(text, arguments);
    });
  }
  const MethodEntry* method = FindSplitMethod(name);
  for (const MethodEntry& entry : Methods()) {
    if (entry.name == name) method = &entry;
  }
  if (method == nullptr) return std::nullopt;
  return MakeCallable(
      std::string(name), [text, method](Arguments& arguments) -> Result {
        COHORT_ASSIGN_OR_RETURN(const Bound bound,
                                Bound::Make(Cat("str.", method->name),
                                            method->signature, arguments));
        return method->call(text, bound);
      });
}

}  // namespace cohort::jinja
