// Parameters of built-in functions, and the arguments of one call under them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/jinja/value.h"

namespace cohort::jinja {

struct Signature {
  std::vector<std::string_view> names;
  size_t required = 0;   // So many of them have no default.
  bool keywords = true;  // May be given by name.
};

// The arguments in the order of the signature's names.
class Bound {
 public:
  // TypeError as Python words it. `function`: its name, for the error.
  static absl::StatusOr<Bound> Make(std::string_view function,
                                    const Signature& signature,
                                    Arguments& arguments);

  bool Has(size_t i) const { return values_[i].has_value(); }
  // Given, and not None.
  bool HasSome(size_t i) const {
    return Has(i) && !values_[i]->Is(Kind::kNone);
  }
  const Value& operator[](size_t i) const { return *values_[i]; }  // Has(i).

  Value Or(size_t i, Value fallback) const {
    return Has(i) ? *values_[i] : std::move(fallback);
  }
  bool Flag(size_t i, bool fallback) const {
    return Has(i) ? IsTrue(*values_[i]) : fallback;
  }
  // TypeError unless it is an int.
  absl::StatusOr<int64_t> Int(size_t i, int64_t fallback) const;
  // TypeError unless it is a str.
  absl::StatusOr<std::string> Text(size_t i, std::string fallback = "") const;

 private:
  std::vector<std::optional<Value>> values_;
};

}  // namespace cohort::jinja
