// Filters that make or change numbers, and those that choose between values.
#include <cmath>
#include <random>

#include "absl/strings/str_format.h"
#include "model/jinja/attributes.h"
#include "model/jinja/cat.h"
#include "model/jinja/filters.h"
#include "model/jinja/format.h"
#include "model/jinja/number.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

Result Abs(const Bound& in) {
  const Value& value = in[0];
  if (value.Is(Kind::kUndefined)) return UseOfUndefined(value);
  if (value.Is(Kind::kFloat)) return Value::Float(std::abs(value.real()));
  if (value.IsInteger()) return Value::Int(mpz_class(abs(value.integer())));
  return TypeError(Cat("bad operand type for abs(): '", TypeName(value), "'"));
}

// float(value); none where Python raises a TypeError or a ValueError.
absl::StatusOr<std::optional<double>> AsFloat(const Value& value) {
  if (value.Is(Kind::kUndefined)) return UseOfUndefined(value);
  if (value.Is(Kind::kString)) return ParseFloat(value.text());
  if (!value.IsNumber()) return std::nullopt;
  COHORT_ASSIGN_OR_RETURN(const double real, ToDouble(value));
  return real;
}

Result Int(const Bound& in) {
  const Value& value = in[0];
  COHORT_ASSIGN_OR_RETURN(const int64_t base, in.Int(2, 10));
  const Value fallback = in.Or(1, Value::Int(0));
  if (value.Is(Kind::kString)) {
    if (const std::optional<Value> whole =
            ParseInt(value.text(), static_cast<int>(base))) {
      return *whole;
    }
  } else if (value.IsInteger()) {
    return Value::Int(value.integer());
  }
  COHORT_ASSIGN_OR_RETURN(const std::optional<double> real, AsFloat(value));
  if (real && std::isfinite(*real)) return Truncate(*real);
  if (real && std::isinf(*real) && value.Is(Kind::kFloat)) {
    return Error("OverflowError", "cannot convert float infinity to integer");
  }
  return fallback;
}

Result Float(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const std::optional<double> real, AsFloat(in[0]));
  return real ? Value::Float(*real) : in.Or(1, Value::Float(0));
}

Result RoundNumber(const Bound& in) {
  const Value& value = in[0];
  COHORT_ASSIGN_OR_RETURN(const int64_t digits, in.Int(1, 0));
  const Value method = in.Or(2, Value::String("common"));
  const std::string how = method.Is(Kind::kString) ? method.text() : "";
  if (how != "common" && how != "ceil" && how != "floor") {
    return Error("FilterArgumentError", "method must be common, ceil or floor");
  }
  if (value.Is(Kind::kUndefined)) return UseOfUndefined(value);
  if (!value.IsNumber()) {
    return TypeError(
        Cat("type ", TypeName(value), " doesn't define __round__ method"));
  }
  if (how == "common") return Round(value, digits);
  COHORT_ASSIGN_OR_RETURN(const Value unit,
                          Operate("**", Value::Int(10), Value::Int(digits)));
  COHORT_ASSIGN_OR_RETURN(const Value scaled, Operate("*", value, unit));
  Value whole = scaled;
  if (scaled.Is(Kind::kFloat)) {
    if (!std::isfinite(scaled.real())) {
      return Error("OverflowError", "cannot convert float to integer");
    }
    whole = Truncate(how == "ceil" ? std::ceil(scaled.real())
                                   : std::floor(scaled.real()));
  }
  return Operate("/", whole, unit);
}

Result FileSize(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const std::optional<double> given, AsFloat(in[0]));
  if (!given) return ValueError("could not convert to float");
  const double bytes = *given;
  const bool binary = in.Flag(1, false);
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return Value::String("1 Byte");
  if (!(bytes >= base)) {
    if (!std::isfinite(bytes)) return ValueError("cannot convert to integer");
    return MakeString(Cat(Truncate(bytes).integer().get_str(), " Bytes"));
  }
  const std::string_view prefixes = binary ? "KMGTPEZY" : "kMGTPEZY";
  double unit = base;
  for (size_t i = 0; i < prefixes.size(); ++i) {
    unit *= base;
    if (bytes < unit || i + 1 == prefixes.size()) {
      return MakeString(absl::StrFormat("%.1f %c%s", base * bytes / unit,
                                        prefixes[i], binary ? "iB" : "B"));
    }
  }
  return Value::None();
}

Result Default(const Bound& in) {
  const bool wanted =
      in[0].Is(Kind::kUndefined) || (in.Flag(2, false) && !IsTrue(in[0]));
  return wanted ? in.Or(1, Value::String("")) : in[0];
}

Result Attribute(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const std::string name, in.Text(1));
  COHORT_ASSIGN_OR_RETURN(const std::optional<Value> found,
                          FindAttribute(in[0], name));
  return found ? *found : NoAttribute(in[0], Value::String(name));
}

Result LengthOf(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const int64_t length, Length(in[0]));
  return Value::Int(length);
}

Result Random(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const int64_t length, Length(in[0]));
  if (length == 0) {
    return Value::Undefined("No random item, sequence was empty.");
  }
  std::random_device device;
  return GetItem(in[0], Value::Int(static_cast<int64_t>(device()) % length));
}

}  // namespace

const FilterEntry* FindNumberFilter(std::string_view name) {
  static const auto* const entries = new std::vector<FilterEntry>{
      {"abs", {{"x"}, 1, false}, Abs},
      {"attr", {{"obj", "name"}, 2}, Attribute},
      {"count", {{"obj"}, 1, false}, LengthOf},
      {"d", {{"value", "default_value", "boolean"}, 1}, Default},
      {"default", {{"value", "default_value", "boolean"}, 1}, Default},
      {"filesizeformat", {{"value", "binary"}, 1}, FileSize},
      {"float", {{"value", "default"}, 1}, Float},
      {"int", {{"value", "default", "base"}, 1}, Int},
      {"length", {{"obj"}, 1, false}, LengthOf},
      {"random", {{"seq"}, 1}, Random},
      {"round", {{"value", "precision", "method"}, 1}, RoundNumber},
  };
  return FindIn(*entries, name);
}

}  // namespace cohort::jinja
