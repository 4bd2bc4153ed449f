// JSON -> PyValue.
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmpxx.h"
#include "nlohmann/json.hpp"
#include "rewards/py_value.h"

namespace cohort {
namespace {

using Json = nlohmann::json;
using Kind = PyValue::Kind;
constexpr size_t kMaxDepth = 200;

// Takes what the reader finds, in order. A reader of its own, because a number
// of more than 64 bits must keep its digits.
class Builder : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return Add(Of(Kind::kNone)); }
  bool boolean(bool value) override {
    return Add(Of(value ? Kind::kTrue : Kind::kFalse));
  }
  bool number_integer(number_integer_t value) override {
    return AddInteger(mpz_class(absl::StrCat(value)));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return AddInteger(mpz_class(absl::StrCat(value)));
  }
  bool number_float(number_float_t value, const string_t& digits) override {
    if (digits.find_first_of(".eE") == string_t::npos) {
      return AddInteger(mpz_class(digits));
    }
    PyValue number = Of(Kind::kFloat);
    number.real = value;
    return Add(std::move(number));
  }
  bool string(string_t& value) override { return Add(PyStr(value)); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(size_t /*items*/) override { return Open(Kind::kDict); }
  bool key(string_t& value) override { return Add(PyStr(value)); }
  bool end_object() override { return Close(); }
  bool start_array(size_t /*items*/) override { return Open(Kind::kList); }
  bool end_array() override { return Close(); }
  bool parse_error(size_t /*at*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    return false;
  }

  PyValue Take() { return std::move(root_.items[0]); }

 private:
  static PyValue Of(Kind kind) {
    PyValue value;
    value.kind = kind;
    return value;
  }

  bool AddInteger(const mpz_class& number) {
    PyValue value = Of(Kind::kInt);
    value.text = number.get_str(16);
    return Add(std::move(value));
  }

  bool Add(PyValue value) {
    (open_.empty() ? root_ : open_.back()).items.push_back(std::move(value));
    return true;
  }

  bool Open(Kind kind) {
    open_.push_back(Of(kind));
    return open_.size() <= kMaxDepth;
  }

  bool Close() {
    PyValue closed = std::move(open_.back());
    open_.pop_back();
    return Add(std::move(closed));
  }

  PyValue root_;
  std::vector<PyValue> open_;
};

}  // namespace

absl::StatusOr<PyValue> ParsePyJson(std::string_view text) {
  Builder builder;
  if (!Json::sax_parse(text, &builder)) {
    return absl::InvalidArgumentError("not JSON");
  }
  return builder.Take();
}

}  // namespace cohort
