// Filters that give text.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "model/jinja/cat.h"
#include "model/jinja/filters.h"
#include "model/jinja/format.h"
#include "model/jinja/html_text.h"
#include "model/jinja/json_text.h"
#include "model/jinja/number.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

// A str as it is, with its mark; anything else as str() gives it.
Result SoftText(const Value& value) {
  if (value.Is(Kind::kString)) return value;
  COHORT_ASSIGN_OR_RETURN(std::string text, Str(value));
  return MakeString(std::move(text));
}

template <std::string (*kMap)(std::string_view)>
Result MapText(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const Value text, SoftText(in[0]));
  return MakeString(kMap(text.text()), text.markup());
}

Result ToText(const Bound& in) { return SoftText(in[0]); }

// Every word begins in upper case and goes on in lower; words begin behind
// spaces, hyphens and opening brackets.
std::string TitleCase(std::string_view text) {
  const auto separates = [](char32_t c) {
    return IsSpace(c) || c == '-' || c == '(' || c == '{' || c == '[' ||
           c == '<';
  };
  std::string result;
  std::u32string word;
  const auto flush = [&] {
    if (word.empty()) return;
    result += Upper(Encode(std::u32string_view(word).substr(0, 1)));
    result += Lower(Encode(std::u32string_view(word).substr(1)));
    word.clear();
  };
  for (const char32_t c : Decode(text)) {
    if (!separates(c)) {
      word += c;
      continue;
    }
    flush();
    Append(c, &result);
  }
  flush();
  return result;
}

Result Center(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const Value text, SoftText(in[0]));
  COHORT_ASSIGN_OR_RETURN(const int64_t width, in.Int(1, 80));
  if (width > kMaxWidth) {
    return absl::ResourceExhaustedError("a text grows too large");
  }
  const int64_t room = width - CountCharacters(text.text());
  if (room <= 0) return text;
  const int64_t left = room / 2 + (room & width & 1);
  return MakeString(
      Pad(Pad(text.text(), width - room + left, ' ', '>'), width, ' ', '<'),
      text.markup());
}

Result Escape(const Bound& in) {
  if (in[0].Is(Kind::kString) && in[0].markup()) return in[0];
  COHORT_ASSIGN_OR_RETURN(const std::string text, Str(in[0]));
  return MakeString(EscapeHtml(text), /*markup=*/true);
}

Result ForceEscape(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const std::string text, Str(in[0]));
  return MakeString(EscapeHtml(text), /*markup=*/true);
}

Result MarkSafe(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(std::string text, Str(in[0]));
  return MakeString(std::move(text), /*markup=*/true);
}

Result Format(Arguments& in) {
  if (in.positional.empty()) return TypeError("do_format() takes a value");
  COHORT_ASSIGN_OR_RETURN(const Value format, SoftText(in.positional[0]));
  in.positional.erase(in.positional.begin());
  if (!in.positional.empty() && !in.named.empty()) {
    return Error(
        "FilterArgumentError",
        "can't handle positional and keyword arguments at the same time");
  }
  if (in.named.empty()) {
    COHORT_ASSIGN_OR_RETURN(const Value tuple,
                            MakeTuple(std::move(in.positional)));
    return FormatPercent(format, tuple);
  }
  DictBuilder named;
  for (auto& [name, value] : in.named) named.Set(name, std::move(value));
  COHORT_ASSIGN_OR_RETURN(const Value dict, named.Build());
  return FormatPercent(format, dict);
}

absl::StatusOr<std::string> Indentation(const Bound& in, size_t i) {
  const Value width = in.Or(i, Value::Int(4));
  if (width.Is(Kind::kString)) return width.text();
  COHORT_ASSIGN_OR_RETURN(const Value spaces,
                          Operate("*", Value::String(" "), width));
  if (!spaces.Is(Kind::kString)) return TypeError("an indentation is no text");
  return spaces.text();
}

Result Indent(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(std::string indent, Indentation(in, 1));
  // Fails where a line break cannot be added.
  COHORT_ASSIGN_OR_RETURN(
      const Value text,
      Operate("+", in[0],
              Value::String("\n", in[0].Is(Kind::kString) && in[0].markup())));
  if (!text.Is(Kind::kString)) return TypeError("indent works on texts");
  if (text.markup()) indent = EscapeHtml(indent);
  const bool blank = in.Flag(3, false);
  const std::vector<std::string> lines = SplitLines(text.text(), false);
  std::string result = in.Flag(2, false) ? indent : "";
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) {
      result += '\n';
      if (blank || !lines[i].empty()) result += indent;
    }
    result += lines[i];
    if (result.size() > kMaxStringBytes) break;
  }
  return MakeString(std::move(result), text.markup());
}

Result Join(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(std::vector<Value> items, Items(in[0]));
  COHORT_ASSIGN_OR_RETURN(const std::string mark,
                          Str(in.Or(1, Value::String(""))));
  std::string result;
  for (size_t i = 0; i < items.size(); ++i) {
    Value item = items[i];
    if (in.HasSome(2)) {
      COHORT_ASSIGN_OR_RETURN(item, GetPath(item, in[2]));
    }
    COHORT_ASSIGN_OR_RETURN(const std::string text, Str(item));
    if (i > 0) result += mark;
    result += text;
    if (result.size() > kMaxStringBytes) break;
  }
  return MakeString(std::move(result));
}

Result ReplaceText(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const std::string text, Str(in[0]));
  COHORT_ASSIGN_OR_RETURN(const std::string old, Str(in[1]));
  COHORT_ASSIGN_OR_RETURN(const std::string fresh, Str(in[2]));
  int64_t count = -1;
  if (in.HasSome(3)) {
    COHORT_ASSIGN_OR_RETURN(count, in.Int(3, -1));
  }
  // So that not more is built than may be.
  const size_t most = text.size() / std::max<size_t>(old.size(), 1) + 1;
  if (most * fresh.size() > kMaxStringBytes && count < 0) {
    int64_t pieces = 0;
    for (size_t at = text.find(old); at < text.size() && !old.empty();
         at = text.find(old, at + old.size())) {
      ++pieces;
    }
    if (old.empty()) pieces = CountCharacters(text) + 1;
    if (static_cast<size_t>(pieces) * fresh.size() > kMaxStringBytes) {
      return absl::ResourceExhaustedError("a text grows too large");
    }
  }
  return MakeString(Replace(text, old, fresh, count));
}

Result Trim(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const Value text, SoftText(in[0]));
  if (!in.HasSome(1)) {
    return MakeString(std::string(StripSpace(text.text(), Side::kBoth)),
                      text.markup());
  }
  COHORT_ASSIGN_OR_RETURN(const std::string characters, in.Text(1));
  return MakeString(
      std::string(StripCharacters(text.text(), characters, Side::kBoth)),
      text.markup());
}

Result Truncate(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const int64_t length, in.Int(1, 255));
  COHORT_ASSIGN_OR_RETURN(const std::string end, in.Text(3, "..."));
  int64_t leeway = 5;
  if (in.HasSome(4)) {
    COHORT_ASSIGN_OR_RETURN(leeway, in.Int(4, 5));
  }
  const int64_t end_length = CountCharacters(end);
  if (length < end_length || leeway < 0) {
    return Error("AssertionError",
                 Cat("expected length >= ", end_length, ", got ", length));
  }
  COHORT_ASSIGN_OR_RETURN(const int64_t size, Length(in[0]));
  if (size <= length + leeway) return in[0];
  if (!in[0].Is(Kind::kString)) return TypeError("truncate works on texts");
  const std::string& text = in[0].text();
  std::string head = text.substr(0, ByteOf(text, length - end_length));
  if (!in.Flag(2, false)) {
    const size_t space = head.rfind(' ');
    if (space != std::string::npos) head.resize(space);
  }
  return MakeString(head + end, in[0].markup());
}

Result CountWords(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const Value text, SoftText(in[0]));
  int64_t count = 0;
  bool in_word = false;
  for (const char32_t c : Decode(text.text())) {
    if (IsWord(c) && !in_word) ++count;
    in_word = IsWord(c);
  }
  return Value::Int(count);
}

absl::StatusOr<JsonStyle> JsonStyleOf(const Bound& in) {
  JsonStyle style;
  style.ensure_ascii = in.Flag(1, false);
  if (in.HasSome(2)) {
    if (in[2].Is(Kind::kString)) {
      style.indent = in[2].text();
    } else {
      COHORT_ASSIGN_OR_RETURN(const int64_t width, in.Int(2, 0));
      if (width > 1024) return ValueError("an indentation is too wide");
      style.indent =
          std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    }
    style.item_separator = ",";
  }
  if (in.HasSome(3)) {
    COHORT_ASSIGN_OR_RETURN(const std::vector<Value> marks, Items(in[3]));
    if (marks.size() != 2) {
      return ValueError("separators must be two texts");
    }
    if (!marks[0].Is(Kind::kString) || !marks[1].Is(Kind::kString)) {
      return TypeError("separators must be two texts");
    }
    style.item_separator = marks[0].text();
    style.key_separator = marks[1].text();
  }
  style.sort_keys = in.Flag(4, false);
  return style;
}

Result Json(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const JsonStyle style, JsonStyleOf(in));
  COHORT_ASSIGN_OR_RETURN(std::string text, ToJson(in[0], style));
  return MakeString(std::move(text));
}

Result UrlEncode(const Bound& in) {
  const bool is_whole = in[0].Is(Kind::kString) || !Iterate(in[0]).ok();
  if (is_whole) {
    COHORT_ASSIGN_OR_RETURN(const std::string text, Str(in[0]));
    return MakeString(QuoteUrl(text, /*in_query=*/false));
  }
  std::vector<std::pair<Value, Value>> pairs;
  if (in[0].Is(Kind::kDict)) {
    pairs = in[0].dict().entries;
  } else {
    COHORT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(in[0]));
    for (const Value& item : items) {
      COHORT_ASSIGN_OR_RETURN(const std::vector<Value> pair, Items(item));
      if (pair.size() != 2) return ValueError("not a pair");
      pairs.emplace_back(pair[0], pair[1]);
    }
  }
  std::string result;
  for (const auto& [key, value] : pairs) {
    COHORT_ASSIGN_OR_RETURN(const std::string name, Str(key));
    COHORT_ASSIGN_OR_RETURN(const std::string text, Str(value));
    CatTo(&result, result.empty() ? "" : "&", QuoteUrl(name, true), "=",
          QuoteUrl(text, true));
  }
  return MakeString(std::move(result));
}

Result XmlAttributes(const Bound& in) {
  if (!in[0].Is(Kind::kDict)) {
    return in[0].Is(Kind::kUndefined)
               ? Result(UseOfUndefined(in[0]))
               : Result(Error("AttributeError", Cat("'", TypeName(in[0]),
                                                    "' object has no attribute "
                                                    "'items'")));
  }
  std::string result;
  for (const auto& [key, value] : in[0].dict().entries) {
    if (value.Is(Kind::kNone) || value.Is(Kind::kUndefined)) continue;
    if (!key.Is(Kind::kString)) return TypeError("expected string");
    if (key.text().find_first_of(" \t\n\r\f\v/>=") != std::string::npos) {
      return ValueError(
          Cat("Invalid character in attribute name: ", Quote(key.text())));
    }
    COHORT_ASSIGN_OR_RETURN(std::string text, Str(value));
    const bool is_safe = value.Is(Kind::kString) && value.markup();
    CatTo(&result, result.empty() ? "" : " ", EscapeHtml(key.text()), "=\"",
          is_safe ? text : EscapeHtml(text), "\"");
  }
  if (!result.empty() && in.Flag(1, true)) result.insert(0, " ");
  return MakeString(std::move(result));
}

Result RemoveTags(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const std::string text, Str(in[0]));
  return MakeString(StripTags(text));
}

Result Wrap(const Bound& in) {
  if (!in[0].Is(Kind::kString)) {
    return in[0].Is(Kind::kUndefined)
               ? Result(UseOfUndefined(in[0]))
               : Result(TypeError("wordwrap works on texts"));
  }
  WrapStyle style;
  COHORT_ASSIGN_OR_RETURN(style.width, in.Int(1, 79));
  if (style.width <= 0) return ValueError("invalid width (must be > 0)");
  style.break_long_words = in.Flag(2, true);
  std::string mark = "\n";
  if (in.HasSome(3)) {
    COHORT_ASSIGN_OR_RETURN(mark, in.Text(3));
  }
  style.break_on_hyphens = in.Flag(4, true);
  std::string result;
  bool first = true;
  for (const std::string& paragraph : SplitLines(in[0].text(), false)) {
    std::vector<std::string> lines = WrapWords(paragraph, style);
    if (lines.empty()) lines.emplace_back();
    for (const std::string& line : lines) {
      if (!first) result += mark;
      first = false;
      result += line;
    }
    if (result.size() > kMaxStringBytes) break;
  }
  return MakeString(std::move(result));
}

// What no chat template uses is named, not guessed at.
Result NotBuilt(Arguments&) {
  return absl::UnimplementedError("this filter is not supported");
}

}  // namespace

const FilterEntry* FindTextFilter(std::string_view name) {
  static const auto* const entries = new std::vector<FilterEntry>{
      {"capitalize", {{"s"}, 1}, MapText<Capitalize>},
      {"center", {{"value", "width"}, 1}, Center},
      {"e", {{"s"}, 1, false}, Escape},
      {"escape", {{"s"}, 1, false}, Escape},
      {"forceescape", {{"value"}, 1}, ForceEscape},
      {"format", {}, nullptr, Format},
      {"indent", {{"s", "width", "first", "blank"}, 1}, Indent},
      {"join", {{"value", "d", "attribute"}, 1}, Join},
      {"lower", {{"s"}, 1}, MapText<Lower>},
      {"pprint", {}, nullptr, NotBuilt},
      {"replace", {{"s", "old", "new", "count"}, 3}, ReplaceText},
      {"safe", {{"value"}, 1}, MarkSafe},
      {"string", {{"s"}, 1, false}, ToText},
      {"striptags", {{"value"}, 1}, RemoveTags},
      {"title", {{"s"}, 1}, MapText<TitleCase>},
      {"tojson",
       {{"x", "ensure_ascii", "indent", "separators", "sort_keys"}, 1},
       Json},
      {"trim", {{"value", "chars"}, 1}, Trim},
      {"truncate",
       {{"s", "length", "killwords", "end", "leeway"}, 1},
       Truncate},
      {"upper", {{"s"}, 1}, MapText<Upper>},
      {"urlencode", {{"value"}, 1}, UrlEncode},
      {"urlize", {}, nullptr, NotBuilt},
      {"wordcount", {{"s"}, 1}, CountWords},
      {"wordwrap",
       {{"s", "width", "break_long_words", "wrapstring", "break_on_hyphens"},
        1},
       Wrap},
      {"xmlattr", {{"d", "autospace"}, 1}, XmlAttributes},
  };
  return FindIn(*entries, name);
}

}  // namespace cohort::jinja
