#include "rewards/py_value.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace cohort {
namespace {

using Kind = PyValue::Kind;
constexpr int kMaxDepth = 202;

bool IsContainer(Kind kind) {
  return kind == Kind::kList || kind == Kind::kTuple || kind == Kind::kSet ||
         kind == Kind::kFrozenSet || kind == Kind::kDict;
}

bool IsText(Kind kind) {
  return kind == Kind::kInt || kind == Kind::kStr || kind == Kind::kBytes ||
         kind == Kind::kOther;
}

// Takes values off the front of a frame.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}

  std::optional<PyValue> Take(int depth) {
    if (rest_.empty() || depth > kMaxDepth) return std::nullopt;
    PyValue value;
    value.kind = static_cast<Kind>(rest_[0]);
    rest_.remove_prefix(1);
    if (value.kind == Kind::kNone || value.kind == Kind::kTrue ||
        value.kind == Kind::kFalse) {
      return value;
    }
    if (value.kind == Kind::kFloat || value.kind == Kind::kComplex) {
      if (!TakeDouble(&value.real)) return std::nullopt;
      if (value.kind == Kind::kComplex && !TakeDouble(&value.imaginary)) {
        return std::nullopt;
      }
      return value;
    }
    if (!IsText(value.kind) && !IsContainer(value.kind)) return std::nullopt;
    const std::optional<size_t> count = TakeCount();
    if (!count.has_value()) return std::nullopt;
    if (IsText(value.kind)) return TakeText(*count, std::move(value));
    const size_t items = value.kind == Kind::kDict ? *count * 2 : *count;
    for (size_t i = 0; i < items; ++i) {
      std::optional<PyValue> item = Take(depth + 1);
      if (!item.has_value()) return std::nullopt;
      value.items.push_back(*std::move(item));
    }
    return value;
  }

  bool AtEnd() const { return rest_.empty(); }

 private:
  bool TakeDouble(double* number) {
    if (rest_.size() < 8) return false;
    uint64_t bits = 0;
    for (size_t i = 0; i < 8; ++i) {
      bits = bits << 8 | static_cast<unsigned char>(rest_[i]);
    }
    *number = std::bit_cast<double>(bits);
    rest_.remove_prefix(8);
    return true;
  }

  // What it counts must still be there, at one byte each.
  std::optional<size_t> TakeCount() {
    size_t count = 0;
    size_t digits = 0;
    while (digits < rest_.size() && digits < 10 && rest_[digits] >= '0' &&
           rest_[digits] <= '9') {
      count = count * 10 + static_cast<size_t>(rest_[digits] - '0');
      ++digits;
    }
    if (digits == 0 || digits == rest_.size() || rest_[digits] != ':') {
      return std::nullopt;
    }
    rest_.remove_prefix(digits + 1);
    if (count > rest_.size()) return std::nullopt;
    return count;
  }

  std::optional<PyValue> TakeText(size_t size, PyValue value) {
    value.text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    if (value.kind == Kind::kInt) {
      const std::string_view digits =
          std::string_view(value.text).substr(value.text[0] == '-' ? 1 : 0);
      if (size == 0 || digits.empty() ||
          digits.find_first_not_of("0123456789abcdef") !=
              std::string_view::npos) {
        return std::nullopt;
      }
    }
    return value;
  }

  std::string_view rest_;
};

void EncodeDouble(double number, std::string* out) {
  const auto bits = std::bit_cast<uint64_t>(number);
  for (int shift = 56; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(bits >> shift));
  }
}

void Encode(const PyValue& value, std::string* out) {
  out->push_back(static_cast<char>(value.kind));
  if (value.kind == Kind::kFloat || value.kind == Kind::kComplex) {
    EncodeDouble(value.real, out);
    if (value.kind == Kind::kComplex) EncodeDouble(value.imaginary, out);
  } else if (IsText(value.kind)) {
    absl::StrAppend(out, value.text.size(), ":", value.text);
  } else if (IsContainer(value.kind)) {
    absl::StrAppend(
        out,
        value.kind == Kind::kDict ? value.items.size() / 2 : value.items.size(),
        ":");
    for (const PyValue& item : value.items) Encode(item, out);
  }
}

// Items of sets, and pairs of dictionaries, in an order that depends on what
// they are alone.
std::vector<std::vector<const PyValue*>> Sorted(const PyValue& value) {
  const size_t step = value.kind == Kind::kDict ? 2 : 1;
  std::vector<std::pair<std::string, std::vector<const PyValue*>>> keyed;
  for (size_t i = 0; i + step <= value.items.size(); i += step) {
    std::vector<const PyValue*> entry = {&value.items[i]};
    if (step == 2) entry.push_back(&value.items[i + 1]);
    keyed.emplace_back(EncodePyValue(value.items[i]), std::move(entry));
  }
  std::sort(keyed.begin(), keyed.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::vector<const PyValue*>> sorted;
  for (auto& [key, entry] : keyed) sorted.push_back(std::move(entry));
  return sorted;
}

bool SameUnordered(const PyValue& got, const PyValue& expected,
                   const FloatTolerance& tolerance) {
  const auto left = Sorted(got);
  const auto right = Sorted(expected);
  if (left.size() != right.size()) return false;
  for (size_t i = 0; i < left.size(); ++i) {
    for (size_t part = 0; part < left[i].size(); ++part) {
      if (!SamePyValue(*left[i][part], *right[i][part], tolerance)) {
        return false;
      }
    }
  }
  return true;
}

void Show(const PyValue& value, size_t most, std::string* out);

void ShowItems(const PyValue& value, const char* open, const char* close,
               size_t most, std::string* out) {
  *out += open;
  const bool dict = value.kind == Kind::kDict;
  for (size_t i = 0; i < value.items.size() && out->size() < most; ++i) {
    if (i > 0) *out += dict && i % 2 == 1 ? ": " : ", ";
    Show(value.items[i], most, out);
  }
  if (value.kind == Kind::kTuple && value.items.size() == 1) *out += ",";
  *out += close;
}

void Show(const PyValue& value, size_t most, std::string* out) {
  switch (value.kind) {
    case Kind::kNone:
      *out += "None";
      break;
    case Kind::kTrue:
      *out += "True";
      break;
    case Kind::kFalse:
      *out += "False";
      break;
    case Kind::kInt: {
      int64_t number = 0;
      const bool negative = value.text[0] == '-';
      const std::string digits = value.text.substr(negative ? 1 : 0);
      if (digits.size() <= 15 && absl::SimpleHexAtoi(digits, &number)) {
        absl::StrAppend(out, negative ? -number : number);
      } else {
        absl::StrAppend(out, negative ? "-0x" : "0x", digits);
      }
      break;
    }
    case Kind::kFloat:
      absl::StrAppend(out, value.real);
      break;
    case Kind::kComplex:
      absl::StrAppend(out, "(", value.real, "+", value.imaginary, "j)");
      break;
    case Kind::kStr:
      absl::StrAppend(out, "'", absl::Utf8SafeCEscape(value.text), "'");
      break;
    case Kind::kBytes:
      absl::StrAppend(out, "b'", absl::CHexEscape(value.text), "'");
      break;
    case Kind::kList:
      ShowItems(value, "[", "]", most, out);
      break;
    case Kind::kTuple:
      ShowItems(value, "(", ")", most, out);
      break;
    case Kind::kSet:
      ShowItems(value, "{", "}", most, out);
      break;
    case Kind::kFrozenSet:
      ShowItems(value, "frozenset({", "})", most, out);
      break;
    case Kind::kDict:
      ShowItems(value, "{", "}", most, out);
      break;
    case Kind::kOther:
      absl::StrAppend(out, "<", value.text, ">");
      break;
  }
}

}  // namespace

const PyValue* FindKey(const PyValue& dict, std::string_view key) {
  if (dict.kind != Kind::kDict) return nullptr;
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    if (dict.items[i].kind == Kind::kStr && dict.items[i].text == key) {
      return &dict.items[i + 1];
    }
  }
  return nullptr;
}

PyValue PyStr(std::string_view text) {
  PyValue value;
  value.kind = Kind::kStr;
  value.text = std::string(text);
  return value;
}

PyValue PyList(std::vector<PyValue> items) {
  PyValue value;
  value.kind = Kind::kList;
  value.items = std::move(items);
  return value;
}

absl::StatusOr<PyValue> DecodePyValue(std::string_view bytes) {
  Decoder decoder(bytes);
  std::optional<PyValue> value = decoder.Take(0);
  if (!value.has_value() || !decoder.AtEnd()) {
    return absl::InvalidArgumentError("no value");
  }
  return *std::move(value);
}

std::string EncodePyValue(const PyValue& value) {
  std::string out;
  Encode(value, &out);
  return out;
}

bool CloseEnough(double x, double expected, const FloatTolerance& tolerance) {
  if (x == expected || (std::isnan(x) && std::isnan(expected))) return true;
  if (!std::isfinite(x) || !std::isfinite(expected)) return false;
  const double most =
      std::max(tolerance.absolute, tolerance.relative * std::abs(expected));
  return std::abs(x - expected) <= most;
}

bool SamePyValue(const PyValue& got, const PyValue& expected,
                 const FloatTolerance& tolerance) {
  if (got.kind != expected.kind || got.kind == Kind::kOther) return false;
  switch (got.kind) {
    case Kind::kFloat:
      return CloseEnough(got.real, expected.real, tolerance);
    case Kind::kComplex:
      return CloseEnough(got.real, expected.real, tolerance) &&
             CloseEnough(got.imaginary, expected.imaginary, tolerance);
    case Kind::kSet:
    case Kind::kFrozenSet:
    case Kind::kDict:
      return SameUnordered(got, expected, tolerance);
    default:
      break;
  }
  if (got.text != expected.text || got.items.size() != expected.items.size()) {
    return false;
  }
  for (size_t i = 0; i < got.items.size(); ++i) {
    if (!SamePyValue(got.items[i], expected.items[i], tolerance)) return false;
  }
  return true;
}

std::string ShowPyValue(const PyValue& value, size_t most) {
  std::string out;
  Show(value, most, &out);
  if (out.size() > most) {
    out.resize(most);
    out += "...";
  }
  return out;
}

}  // namespace cohort
