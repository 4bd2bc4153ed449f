#include "model/jinja/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "absl/strings/str_format.h"
#include "model/jinja/cat.h"
#include "model/jinja/format.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

// Of an int: 300 kB of digits, and all that takes no noticeable time.
constexpr int64_t kMaxIntBits = int64_t{1} << 20;

absl::Status Unsupported(std::string_view op, const Value& a, const Value& b) {
  if (op == "**") op = "** or pow()";
  return TypeError(Cat("unsupported operand type(s) for ", op, ": '",
                       TypeName(a), "' and '", TypeName(b), "'"));
}

absl::Status DivisionByZero(std::string_view message) {
  return Error("ZeroDivisionError", message);
}

// Python's // and %: the quotient is rounded down, the rest has the divisor's
// sign.
double FloorMod(double a, double b) {
  double rest = std::fmod(a, b);
  if (rest != 0) {
    if ((rest < 0) != (b < 0)) rest += b;
  } else {
    rest = std::copysign(0.0, b);
  }
  return rest;
}

double FloorDivide(double a, double b) {
  double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double down = std::floor(quotient);
  return quotient - down > 0.5 ? down + 1 : down;
}

Result PowerOfFloats(double a, double b) {
  if (a == 0 && b < 0) {
    return DivisionByZero("0.0 cannot be raised to a negative power");
  }
  if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) {
    return TypeError("complex numbers are not supported");
  }
  const double power = std::pow(a, b);
  if (std::isinf(power) && std::isfinite(a) && std::isfinite(b)) {
    return Error("OverflowError", "(34, 'Numerical result out of range')");
  }
  return Value::Float(power);
}

Result OperateOnFloats(std::string_view op, double a, double b) {
  if (op == "+") return Value::Float(a + b);
  if (op == "-") return Value::Float(a - b);
  if (op == "*") return Value::Float(a * b);
  if (op == "**") return PowerOfFloats(a, b);
  if (b == 0) {
    return DivisionByZero(op == "/"    ? "float division by zero"
                          : op == "//" ? "float floor division by zero"
                                       : "float modulo");
  }
  if (op == "/") return Value::Float(a / b);
  return Value::Float(op == "//" ? FloorDivide(a, b) : FloorMod(a, b));
}

absl::Status CheckBits(const mpz_class& value) {
  if (mpz_sizeinbase(value.get_mpz_t(), 2) > kMaxIntBits) {
    return absl::ResourceExhaustedError("an int grows too large");
  }
  return absl::OkStatus();
}

Result Power(const mpz_class& a, const mpz_class& b) {
  if (b < 0) {
    if (a == 0) {
      return DivisionByZero("0.0 cannot be raised to a negative power");
    }
    return PowerOfFloats(a.get_d(), b.get_d());
  }
  if (a == 0 || a == 1 || a == -1) {
    if (b == 0) return Value::Int(1);
    return Value::Int(a == -1 && mpz_even_p(b.get_mpz_t()) ? mpz_class(1) : a);
  }
  const auto bits = static_cast<int64_t>(mpz_sizeinbase(a.get_mpz_t(), 2));
  if (!b.fits_slong_p() || b.get_si() > kMaxIntBits / bits) {
    return absl::ResourceExhaustedError("an int grows too large");
  }
  mpz_class power;
  mpz_pow_ui(power.get_mpz_t(), a.get_mpz_t(), b.get_ui());
  return Value::Int(power);
}

// a / b, rounded once.
Result Divide(const mpz_class& a, const mpz_class& b) {
  const double x = a.get_d();
  const double y = b.get_d();
  if (std::abs(x) < 9007199254740992.0 && std::abs(y) < 9007199254740992.0) {
    return Value::Float(x / y);
  }
  // A quotient of at least 64 bits, the last of which says whether any rest
  // lies below: mpz_get_d cuts, so rounding is left to the float's own.
  const auto a_bits = static_cast<int64_t>(mpz_sizeinbase(a.get_mpz_t(), 2));
  const auto b_bits = static_cast<int64_t>(mpz_sizeinbase(b.get_mpz_t(), 2));
  const int64_t shift = 62 - (a_bits - b_bits);
  mpz_class top = abs(a);
  mpz_class bottom = abs(b);
  if (shift > 0) top <<= static_cast<mp_bitcnt_t>(shift);
  if (shift < 0) bottom <<= static_cast<mp_bitcnt_t>(-shift);
  mpz_class quotient = top / bottom;
  if (top % bottom != 0) quotient |= 1;
  const double magnitude = std::ldexp(static_cast<double>(quotient.get_ui()),
                                      static_cast<int>(-shift));
  if (std::isinf(magnitude)) {
    return Error("OverflowError",
                 "integer division result too large for a float");
  }
  return Value::Float((a < 0) != (b < 0) ? -magnitude : magnitude);
}

Result OperateOnInts(std::string_view op, const Value& left,
                     const Value& right) {
  if (!left.IsBig() && !right.IsBig()) {
    int64_t result = 0;
    const int64_t a = left.small();
    const int64_t b = right.small();
    if (op == "+" && !__builtin_add_overflow(a, b, &result)) {
      return Value::Int(result);
    }
    if (op == "-" && !__builtin_sub_overflow(a, b, &result)) {
      return Value::Int(result);
    }
    if (op == "*" && !__builtin_mul_overflow(a, b, &result)) {
      return Value::Int(result);
    }
  }
  const mpz_class a = left.integer();
  const mpz_class b = right.integer();
  mpz_class result;
  if (op == "+") {
    result = a + b;
  } else if (op == "-") {
    result = a - b;
  } else if (op == "*") {
    result = a * b;
  } else if (op == "**") {
    return Power(a, b);
  } else if (b == 0) {
    return DivisionByZero(op == "/"    ? "division by zero"
                          : op == "//" ? "integer division or modulo by zero"
                                       : "integer modulo by zero");
  } else if (op == "/") {
    return Divide(a, b);
  } else if (op == "//") {
    mpz_fdiv_q(result.get_mpz_t(), a.get_mpz_t(), b.get_mpz_t());
  } else {
    mpz_fdiv_r(result.get_mpz_t(), a.get_mpz_t(), b.get_mpz_t());
  }
  COHORT_RETURN_IF_ERROR(CheckBits(result));
  return Value::Int(result);
}

Result Repeat(const Value& sequence, const Value& times) {
  const int64_t n = times.IsBig() ? (times.integer() < 0 ? 0 : INT64_MAX)
                                  : std::max<int64_t>(times.small(), 0);
  const int64_t weight = sequence.weight() + 1;
  if (n > kMaxValueWeight / weight) {
    return absl::ResourceExhaustedError("a value grows too large");
  }
  if (sequence.IsSequence()) {
    std::vector<Value> items;
    for (int64_t i = 0; i < n; ++i) {
      items.insert(items.end(), sequence.items().begin(),
                   sequence.items().end());
    }
    return sequence.Is(Kind::kList) ? MakeList(std::move(items))
                                    : MakeTuple(std::move(items));
  }
  if (static_cast<size_t>(n) * sequence.text().size() > kMaxStringBytes) {
    return absl::ResourceExhaustedError("a text grows too large");
  }
  std::string text;
  for (int64_t i = 0; i < n; ++i) text += sequence.text();
  if (sequence.Is(Kind::kBytes)) return Value::Bytes(std::move(text));
  return Value::String(std::move(text), sequence.markup());
}

Result Concatenate(const Value& a, const Value& b) {
  if (a.Is(Kind::kString) && b.Is(Kind::kString)) {
    // What meets marked text is escaped, as MarkupSafe does.
    const bool markup = a.markup() || b.markup();
    const auto part = [&](const Value& text) {
      return markup && !text.markup() ? EscapeHtml(text.text()) : text.text();
    };
    return MakeString(part(a) + part(b), markup);
  }
  if (a.kind() == b.kind() && a.IsSequence()) {
    std::vector<Value> items = a.items();
    items.insert(items.end(), b.items().begin(), b.items().end());
    return a.Is(Kind::kList) ? MakeList(std::move(items))
                             : MakeTuple(std::move(items));
  }
  if (a.kind() == b.kind() && a.Is(Kind::kBytes)) {
    return Value::Bytes(a.text() + b.text());
  }
  if (a.Is(Kind::kString) && !a.markup()) {
    return TypeError(
        Cat("can only concatenate str (not \"", TypeName(b), "\") to str"));
  }
  if (a.IsSequence()) {
    const char* const type = a.Is(Kind::kList) ? "list" : "tuple";
    return TypeError(Cat("can only concatenate ", type, " (not \"", TypeName(b),
                         "\") to ", type));
  }
  return Unsupported("+", a, b);
}

bool CanRepeat(const Value& value) {
  return value.IsSequence() || value.Is(Kind::kString) ||
         value.Is(Kind::kBytes);
}

Result Times(const Value& a, const Value& b) {
  if (CanRepeat(a) && b.IsInteger()) return Repeat(a, b);
  if (a.IsInteger() && CanRepeat(b)) return Repeat(b, a);
  if (CanRepeat(a) || CanRepeat(b)) {
    return TypeError(Cat("can't multiply sequence by non-int of type '",
                         TypeName(CanRepeat(a) ? b : a), "'"));
  }
  return Unsupported("*", a, b);
}

}  // namespace

Result Operate(std::string_view op, const Value& a, const Value& b) {
  if (op == "%" && a.Is(Kind::kString)) return FormatPercent(a, b);
  for (const Value* value : {&a, &b}) {
    if (value->Is(Kind::kUndefined)) return UseOfUndefined(*value);
  }
  if (a.IsInteger() && b.IsInteger()) return OperateOnInts(op, a, b);
  if (a.IsNumber() && b.IsNumber()) {
    COHORT_ASSIGN_OR_RETURN(const double x, ToDouble(a));
    COHORT_ASSIGN_OR_RETURN(const double y, ToDouble(b));
    return OperateOnFloats(op, x, y);
  }
  if (op == "+") return Concatenate(a, b);
  if (op == "*") return Times(a, b);
  return Unsupported(op, a, b);
}

Result Sign(char sign, const Value& value) {
  if (value.Is(Kind::kUndefined)) return UseOfUndefined(value);
  if (value.Is(Kind::kFloat)) {
    return Value::Float(sign == '-' ? -value.real() : value.real());
  }
  if (!value.IsInteger()) {
    return TypeError(Cat("bad operand type for unary ", std::string(1, sign),
                         ": '", TypeName(value), "'"));
  }
  if (sign == '+') return Value::Int(value.integer());
  return Value::Int(mpz_class(-value.integer()));
}

std::string FloatText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  // The shortest digits that read back as the same number.
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value,
                                 std::chars_format::scientific);
  const std::string text(digits, end.ptr);
  const size_t mark = text.find('e');
  const int exponent = std::atoi(text.c_str() + mark + 1);
  if (exponent < -4 || exponent >= 16) return text;
  char fixed[64];
  const auto fixed_end = std::to_chars(fixed, fixed + sizeof(fixed), value,
                                       std::chars_format::fixed);
  std::string result(fixed, fixed_end.ptr);
  if (result.find('.') == std::string::npos) result += ".0";
  return result;
}

absl::StatusOr<std::string> IntText(const Value& value) {
  if (!value.IsBig()) return Cat(value.small());
  const std::string text = value.integer().get_str();
  if (text.size() - (text[0] == '-' ? 1 : 0) > 4300) {
    return ValueError(
        "Exceeds the limit (4300 digits) for integer string conversion");
  }
  return text;
}

absl::StatusOr<double> ToDouble(const Value& value) {
  if (value.Is(Kind::kFloat)) return value.real();
  if (!value.IsBig()) return static_cast<double>(value.small());
  COHORT_ASSIGN_OR_RETURN(const Value real,
                          Divide(value.integer(), mpz_class(1)));
  return real.real();
}

Value Truncate(double value) { return Value::Int(mpz_class(value)); }

Result Round(const Value& value, int64_t digits) {
  if (value.IsInteger()) {
    if (digits >= 0) return Value::Int(value.integer());
    if (digits < -5000) return Value::Int(0);
    mpz_class unit;
    mpz_ui_pow_ui(unit.get_mpz_t(), 10, static_cast<unsigned long>(-digits));
    mpz_class whole;
    mpz_class rest;
    mpz_fdiv_qr(whole.get_mpz_t(), rest.get_mpz_t(),
                value.integer().get_mpz_t(), unit.get_mpz_t());
    const mpz_class twice = rest * 2;
    if (twice > unit || (twice == unit && mpz_odd_p(whole.get_mpz_t()))) {
      whole += 1;
    }
    return Value::Int(mpz_class(whole * unit));
  }
  const double real = value.real();
  if (!std::isfinite(real) || real == 0 || digits > 323) return value;
  if (digits < -308) return Value::Float(std::copysign(0.0, real));
  if (digits >= 0) {
    // printf rounds the exact value, half to even.
    const std::string text =
        absl::StrFormat("%.*f", static_cast<int>(digits), real);
    return Value::Float(std::strtod(text.c_str(), nullptr));
  }
  mpz_class unit;
  mpz_ui_pow_ui(unit.get_mpz_t(), 10, static_cast<unsigned long>(-digits));
  const mpq_class ratio = mpq_class(std::abs(real)) / unit;
  mpz_class whole = ratio.get_num() / ratio.get_den();
  const mpq_class rest = ratio - whole;
  const mpq_class half(1, 2);
  if (rest > half || (rest == half && mpz_odd_p(whole.get_mpz_t()))) whole += 1;
  const std::string text = mpz_class(whole * unit).get_str();
  return Value::Float(std::copysign(std::strtod(text.c_str(), nullptr), real));
}

absl::StatusOr<int64_t> ToIndex(const Value& value, std::string_view what) {
  if (value.Is(Kind::kUndefined)) return UseOfUndefined(value);
  if (!value.IsInteger()) return TypeError(what);
  if (value.IsBig()) {
    return value.integer() < 0 ? std::numeric_limits<int64_t>::min() / 4
                               : std::numeric_limits<int64_t>::max() / 4;
  }
  return value.small();
}

}  // namespace cohort::jinja
