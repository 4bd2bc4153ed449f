#include "model/jinja/json_text.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "model/jinja/cat.h"
#include "model/jinja/number.h"
#include "model/jinja/text.h"
#include "nlohmann/json.hpp"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

// Builds values from the parser's events, with a stack of its own.
class Builder {
 public:
  bool null() { return Put(Value::None()); }
  bool boolean(bool value) { return Put(Value::Bool(value)); }
  bool number_integer(int64_t value) { return Put(Value::Int(value)); }
  bool number_unsigned(uint64_t value) {
    return Put(Value::Int(mpz_class(value)));
  }
  bool number_float(double value, const std::string& text) {
    // The parser takes ints past 64 bits for floats.
    if (text.find_first_of(".eE") == std::string::npos) {
      if (const std::optional<Value> whole = ParseInt(text, 10)) {
        return Put(*whole);
      }
      return Fail("a number has too many digits");
    }
    return Put(Value::Float(value));
  }
  bool string(std::string& value) { return Put(Value::String(value)); }
  bool binary(nlohmann::json::binary_t&) { return Fail("binary"); }
  bool start_object(size_t) { return Open(/*is_object=*/true); }
  bool key(std::string& value) {
    open_.back().key = value;
    return true;
  }
  bool end_object() {
    Level level = std::move(open_.back());
    open_.pop_back();
    return PutResult(level.dict.Build());
  }
  bool start_array(size_t) { return Open(/*is_object=*/false); }
  bool end_array() {
    Level level = std::move(open_.back());
    open_.pop_back();
    return PutResult(MakeList(std::move(level.items)));
  }
  bool parse_error(size_t at, const std::string&,
                   const nlohmann::detail::exception&) {
    return Fail(Cat("not JSON at byte ", at));
  }

  Value result;
  absl::Status status;

 private:
  struct Level {
    bool is_object = false;
    std::string key;
    DictBuilder dict;
    std::vector<Value> items;
  };

  bool Fail(std::string_view why) {
    status = absl::InvalidArgumentError(std::string(why));
    return false;
  }

  bool Open(bool is_object) {
    status = CheckSize(static_cast<int>(open_.size()) + 1, 0);
    if (!status.ok()) return false;
    open_.emplace_back();
    open_.back().is_object = is_object;
    return true;
  }

  bool PutResult(Result value) {
    status = value.status();
    return value.ok() && Put(*std::move(value));
  }

  bool Put(Value value) {
    if (open_.empty()) {
      result = std::move(value);
    } else if (open_.back().is_object) {
      open_.back().dict.Set(open_.back().key, std::move(value));
    } else {
      open_.back().items.push_back(std::move(value));
    }
    return true;
  }

  std::vector<Level> open_;
};

std::string JsonFloat(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return FloatText(value);
}

class Writer {
 public:
  explicit Writer(const JsonStyle& style) : style_(style) {}

  absl::Status Write(const Value& value) {
    if (out_.size() > kMaxStringBytes) {
      return absl::ResourceExhaustedError("a text grows too large");
    }
    switch (value.kind()) {
      case Kind::kNone:
        out_ += "null";
        break;
      case Kind::kBool:
        out_ += value.boolean() ? "true" : "false";
        break;
      case Kind::kInt: {
        COHORT_ASSIGN_OR_RETURN(const std::string text, IntText(value));
        out_ += text;
        break;
      }
      case Kind::kFloat:
        out_ += JsonFloat(value.real());
        break;
      case Kind::kString:
        WriteText(value.text());
        break;
      case Kind::kList:
      case Kind::kTuple:
        return WriteList(value.items());
      case Kind::kDict:
        return WriteDict(value.dict());
      default:
        return TypeError(Cat("Object of type ", TypeName(value),
                             " is not JSON serializable"));
    }
    return absl::OkStatus();
  }

  std::string Take() { return std::move(out_); }

 private:
  void WriteText(const std::string& text) {
    out_ += '"';
    if (style_.ensure_ascii) {
      for (const char32_t c : Decode(text)) WriteCharacter(c);
    } else {
      for (const char c : text) {
        if (static_cast<uint8_t>(c) < 0x80) {
          WriteCharacter(static_cast<char32_t>(c));
        } else {
          out_ += c;
        }
      }
    }
    out_ += '"';
  }

  void WriteCharacter(char32_t c) {
    switch (c) {
      case '"':
        out_ += "\\\"";
        return;
      case '\\':
        out_ += "\\\\";
        return;
      case '\n':
        out_ += "\\n";
        return;
      case '\r':
        out_ += "\\r";
        return;
      case '\t':
        out_ += "\\t";
        return;
      case '\f':
        out_ += "\\f";
        return;
      case '\b':
        out_ += "\\b";
        return;
      default:
        break;
    }
    const auto code = static_cast<uint32_t>(c);
    // DEL stands as it is, unless all that is not printable ASCII must not.
    if (code >= 0x20 && code < (style_.ensure_ascii ? 0x7F : 0x80)) {
      out_ += static_cast<char>(c);
    } else if (code < 0x10000) {
      absl::StrAppendFormat(&out_, "\\u%04x", code);
    } else {
      absl::StrAppendFormat(&out_, "\\u%04x\\u%04x",
                            0xD800 + ((code - 0x10000) >> 10),
                            0xDC00 + ((code - 0x10000) & 0x3FF));
    }
  }

  void BreakLine() {
    if (!style_.indent) return;
    out_ += '\n';
    for (int i = 0; i < level_; ++i) out_ += *style_.indent;
  }

  absl::Status WriteList(const std::vector<Value>& items) {
    if (items.empty()) {
      out_ += "[]";
      return absl::OkStatus();
    }
    out_ += '[';
    ++level_;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      BreakLine();
      COHORT_RETURN_IF_ERROR(Write(items[i]));
    }
    --level_;
    BreakLine();
    out_ += ']';
    return absl::OkStatus();
  }

  absl::Status WriteKey(const Value& key) {
    switch (key.kind()) {
      case Kind::kString:
        WriteText(key.text());
        return absl::OkStatus();
      case Kind::kNone:
      case Kind::kBool:
      case Kind::kInt:
      case Kind::kFloat: {
        out_ += '"';
        COHORT_RETURN_IF_ERROR(Write(key));
        out_ += '"';
        return absl::OkStatus();
      }
      default:
        return TypeError(Cat("keys must be str, int, float, bool or None, not ",
                             TypeName(key)));
    }
  }

  absl::Status WriteDict(const DictObject& dict) {
    if (dict.entries.empty()) {
      out_ += "{}";
      return absl::OkStatus();
    }
    std::vector<const std::pair<Value, Value>*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (style_.sort_keys) {
      absl::Status status;
      for (size_t i = 1; i < entries.size() && status.ok(); ++i) {
        status = ToStatus(Compare(entries[i]->first, entries[0]->first, "<"));
      }
      COHORT_RETURN_IF_ERROR(status);
      std::stable_sort(entries.begin(), entries.end(),
                       [](const auto* a, const auto* b) {
                         const auto less = Compare(a->first, b->first, "<");
                         return less.ok() && *less;
                       });
    }
    out_ += '{';
    ++level_;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      BreakLine();
      COHORT_RETURN_IF_ERROR(WriteKey(entries[i]->first));
      out_ += style_.key_separator;
      COHORT_RETURN_IF_ERROR(Write(entries[i]->second));
    }
    --level_;
    BreakLine();
    out_ += '}';
    return absl::OkStatus();
  }

  const JsonStyle& style_;
  std::string out_;
  int level_ = 0;
};

}  // namespace

Result FromJson(std::string_view text) {
  Builder builder;
  const bool whole =
      nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  COHORT_RETURN_IF_ERROR(builder.status);
  if (!whole) return absl::InvalidArgumentError("not JSON");
  return builder.result;
}

absl::StatusOr<std::string> ToJson(const Value& value, const JsonStyle& style) {
  Writer writer(style);
  COHORT_RETURN_IF_ERROR(writer.Write(value));
  return writer.Take();
}

}  // namespace cohort::jinja
