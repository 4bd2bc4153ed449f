// Equality, order, hashes and membership.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "model/jinja/cat.h"
#include "model/jinja/value.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

// -1, 0, 1; 2 where a NaN is compared. Python compares an int with a float by
// their exact values.
int CompareNumbers(const Value& a, const Value& b) {
  const auto sign = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : 0; };
  if (a.Is(Kind::kFloat) && b.Is(Kind::kFloat)) {
    if (std::isnan(a.real()) || std::isnan(b.real())) return 2;
    return sign(a.real(), b.real());
  }
  if (!a.Is(Kind::kFloat) && !b.Is(Kind::kFloat)) {
    if (!a.IsBig() && !b.IsBig()) return sign(a.small(), b.small());
    return sign(a.integer(), b.integer());
  }
  const double real = a.Is(Kind::kFloat) ? a.real() : b.real();
  if (std::isnan(real)) return 2;
  const mpz_class whole = a.Is(Kind::kFloat) ? b.integer() : a.integer();
  const int order = mpz_cmp_d(whole.get_mpz_t(), real);
  const int whole_first = order < 0 ? -1 : order > 0 ? 1 : 0;
  return a.Is(Kind::kFloat) ? -whole_first : whole_first;
}

bool EqualItems(const std::vector<Value>& a, const std::vector<Value>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](const Value& x, const Value& y) {
                                              return IsSame(x, y) ||
                                                     Equal(x, y);
                                            });
}

bool EqualDicts(const DictObject& a, const DictObject& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    const Value* const theirs = b.Find(key);
    if (theirs == nullptr || !(IsSame(value, *theirs) || Equal(value, *theirs)))
      return false;
  }
  return true;
}

bool EqualRanges(const RangeObject& a, const RangeObject& b) {
  return a.size == b.size && (a.size == 0 || a.start == b.start) &&
         (a.size <= 1 || a.step == b.step);
}

bool EqualViews(const Value& a, const Value& b) {
  const auto& x = a.As<ViewObject>();
  const auto& y = b.As<ViewObject>();
  if (x.part != y.part || x.part == ViewObject::kValues) return IsSame(a, b);
  const auto& ours = x.dict.dict().entries;
  if (ours.size() != y.dict.dict().entries.size()) return false;
  return std::all_of(ours.begin(), ours.end(), [&](const auto& entry) {
    const Value* const theirs = y.dict.dict().Find(entry.first);
    return theirs != nullptr &&
           (x.part == ViewObject::kKeys || Equal(entry.second, *theirs));
  });
}

bool Orders(int order, std::string_view op) {
  if (order == 2) return false;
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  if (op == ">") return order > 0;
  return order >= 0;
}

absl::Status NoOrder(const Value& a, const Value& b, std::string_view op) {
  return TypeError(Cat("'", op, "' not supported between instances of '",
                       TypeName(a), "' and '", TypeName(b), "'"));
}

size_t Mix(size_t hash, size_t more) {
  return (hash ^ more) * 0x9e3779b97f4a7c15 + (hash >> 29);
}

size_t HashNumber(const Value& value) {
  // Equal numbers have equal hashes, whatever their types.
  const double real = value.Is(Kind::kFloat) ? value.real()
                      : value.IsBig()        ? value.integer().get_d()
                                      : static_cast<double>(value.small());
  return std::hash<double>()(real);
}

}  // namespace

bool IsSame(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kNone:
      return true;
    case Kind::kBool:
      return a.boolean() == b.boolean();
    // CPython keeps one object for each small int.
    case Kind::kInt:
      return !a.IsBig() && !b.IsBig() && a.small() == b.small() &&
             a.small() >= -5 && a.small() <= 256;
    case Kind::kFloat:
      return false;
    default:
      return a.object() == b.object();
  }
}

bool Equal(const Value& a, const Value& b) {
  if (a.IsNumber() && b.IsNumber()) return CompareNumbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
    case Kind::kBytes:
      return a.text() == b.text();
    case Kind::kList:
    case Kind::kTuple:
      return EqualItems(a.items(), b.items());
    case Kind::kDict:
      return EqualDicts(a.dict(), b.dict());
    case Kind::kRange:
      return EqualRanges(a.As<RangeObject>(), b.As<RangeObject>());
    case Kind::kView:
      return EqualViews(a, b);
    default:
      return IsSame(a, b);
  }
}

absl::StatusOr<bool> Compare(const Value& a, const Value& b,
                             std::string_view op) {
  for (const Value* value : {&a, &b}) {
    if (value->Is(Kind::kUndefined)) return UseOfUndefined(*value);
  }
  if (a.IsNumber() && b.IsNumber()) return Orders(CompareNumbers(a, b), op);
  if (a.kind() != b.kind()) return NoOrder(a, b, op);
  if (a.Is(Kind::kString) || a.Is(Kind::kBytes)) {
    // UTF-8 sorts as the code points do.
    return Orders(a.text().compare(b.text()) < 0   ? -1
                  : a.text().compare(b.text()) > 0 ? 1
                                                   : 0,
                  op);
  }
  if (!a.IsSequence()) return NoOrder(a, b, op);
  const std::vector<Value>& x = a.items();
  const std::vector<Value>& y = b.items();
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    if (!IsSame(x[i], y[i]) && !Equal(x[i], y[i])) {
      return Compare(x[i], y[i], op);
    }
  }
  return Orders(x.size() < y.size() ? -1 : x.size() > y.size() ? 1 : 0, op);
}

absl::StatusOr<size_t> Hash(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 1;
    case Kind::kNone:
      return 2;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return HashNumber(value);
    case Kind::kString:
    case Kind::kBytes:
      return std::hash<std::string>()(value.text());
    case Kind::kTuple: {
      size_t hash = value.items().size();
      for (const Value& item : value.items()) {
        COHORT_ASSIGN_OR_RETURN(const size_t more, Hash(item));
        hash = Mix(hash, more);
      }
      return hash;
    }
    case Kind::kRange: {
      const auto& range = value.As<RangeObject>();
      return Mix(static_cast<size_t>(range.size),
                 range.size == 0 ? 0 : static_cast<size_t>(range.start));
    }
    case Kind::kList:
    case Kind::kDict:
    case Kind::kView:
      return TypeError(Cat("unhashable type: '", TypeName(value), "'"));
    default:
      return std::hash<const void*>()(value.object().get());
  }
}

absl::StatusOr<bool> Contains(const Value& container, const Value& item) {
  if (container.Is(Kind::kString)) {
    if (item.Is(Kind::kUndefined) || !item.Is(Kind::kString)) {
      return TypeError(
          Cat("'in <string>' requires string as left operand, not ",
              TypeName(item)));
    }
    return container.text().find(item.text()) != std::string::npos;
  }
  const bool is_keys = container.Is(Kind::kView) &&
                       container.As<ViewObject>().part == ViewObject::kKeys;
  if (container.Is(Kind::kDict) || is_keys) {
    COHORT_RETURN_IF_ERROR(Hash(item));
    const Value& dict = is_keys ? container.As<ViewObject>().dict : container;
    return dict.dict().Find(item) != nullptr;
  }
  if (container.Is(Kind::kRange) && item.IsNumber()) {
    const auto& range = container.As<RangeObject>();
    if (item.Is(Kind::kFloat) && item.real() != std::floor(item.real())) {
      return false;
    }
    const mpz_class wanted =
        item.Is(Kind::kFloat)
            ? (std::isfinite(item.real()) ? mpz_class(item.real())
                                          : mpz_class(range.stop))
            : item.integer();
    const mpz_class offset = wanted - range.start;
    const mpz_class step = range.step;
    const mpz_class place = offset / step;
    return offset % step == 0 && place >= 0 && place < range.size;
  }
  const absl::StatusOr<std::shared_ptr<IteratorObject>> items =
      Iterate(container);
  if (!items.ok()) {
    if (container.Is(Kind::kUndefined)) return items.status();
    return TypeError(
        Cat("argument of type '", TypeName(container), "' is not iterable"));
  }
  Value next;
  while (true) {
    COHORT_ASSIGN_OR_RETURN(const bool is_there, (*items)->next(&next));
    if (!is_there) return false;
    if (IsSame(next, item) || Equal(next, item)) return true;
  }
}

}  // namespace cohort::jinja
