#include "model/jinja/signature.h"

#include "model/jinja/cat.h"
#include "model/jinja/number.h"
#include "proto/status.h"

namespace cohort::jinja {

absl::StatusOr<Bound> Bound::Make(std::string_view function,
                                  const Signature& signature,
                                  Arguments& arguments) {
  Bound bound;
  const size_t size = signature.names.size();
  bound.values_.resize(size);
  if (arguments.positional.size() > size) {
    return TypeError(Cat(function, "() takes at most ", size, " argument(s), ",
                         arguments.positional.size(), " given"));
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    bound.values_[i] = std::move(arguments.positional[i]);
  }
  for (auto& [name, value] : arguments.named) {
    if (!signature.keywords) {
      return TypeError(Cat(function, "() takes no keyword arguments"));
    }
    size_t i = 0;
    while (i < size && signature.names[i] != name) ++i;
    if (i == size) {
      return TypeError(
          Cat(function, "() got an unexpected keyword argument '", name, "'"));
    }
    if (bound.values_[i]) {
      return TypeError(
          Cat(function, "() got multiple values for argument '", name, "'"));
    }
    bound.values_[i] = std::move(value);
  }
  for (size_t i = 0; i < signature.required; ++i) {
    if (!bound.values_[i]) {
      return TypeError(Cat(function,
                           "() missing 1 required positional argument: '",
                           signature.names[i], "'"));
    }
  }
  return bound;
}

absl::StatusOr<int64_t> Bound::Int(size_t i, int64_t fallback) const {
  if (!Has(i)) return fallback;
  return ToIndex(*values_[i],
                 Cat("'", TypeName(*values_[i]),
                     "' object cannot be interpreted as an integer"));
}

absl::StatusOr<std::string> Bound::Text(size_t i, std::string fallback) const {
  if (!Has(i)) return fallback;
  if (!values_[i]->Is(Kind::kString)) {
    return TypeError(Cat("must be str, not ", TypeName(*values_[i])));
  }
  return values_[i]->text();
}

}  // namespace cohort::jinja
