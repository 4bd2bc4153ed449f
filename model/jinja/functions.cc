// The functions that a template may call by name.
#include <cstdio>
#include <ctime>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "model/jinja/callable.h"
#include "model/jinja/cat.h"
#include "model/jinja/interpreter.h"
#include "model/jinja/number.h"
#include "model/jinja/signature.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

constexpr int64_t kMaxRange = 100000;
// Of starts, stops and steps, so that places stay within 64 bits.
constexpr int64_t kMaxBound = int64_t{1} << 44;

Result Range(Arguments& arguments) {
  if (!arguments.named.empty()) {
    return TypeError("range() takes no keyword arguments");
  }
  const size_t count = arguments.positional.size();
  if (count < 1 || count > 3) {
    return TypeError(Cat("range expected 1 to 3 arguments, got ", count));
  }
  int64_t bounds[3] = {0, 0, 1};
  for (size_t i = 0; i < count; ++i) {
    const Value& value = arguments.positional[i];
    COHORT_ASSIGN_OR_RETURN(
        bounds[count == 1 ? 1 : i],
        ToIndex(value, Cat("'", TypeName(value),
                           "' object cannot be interpreted as an "
                           "integer")));
  }
  const auto [start, stop, step] = bounds;
  for (const int64_t bound : bounds) {
    if (bound > kMaxBound || bound < -kMaxBound) {
      return Error("OverflowError", "a range reaches too far");
    }
  }
  if (step == 0) return ValueError("range() arg 3 must not be zero");
  auto range = std::make_shared<RangeObject>();
  range->start = start;
  range->stop = stop;
  range->step = step;
  const __int128 distance =
      step > 0 ? __int128{stop} - start : __int128{start} - stop;
  const __int128 by = step > 0 ? __int128{step} : -__int128{step};
  const __int128 size = distance > 0 ? (distance + by - 1) / by : 0;
  if (size > kMaxRange) {
    return Error("OverflowError",
                 Cat("Range too big. The sandbox blocks ranges larger "
                     "than MAX_RANGE (",
                     kMaxRange, ")."));
  }
  range->size = static_cast<int64_t>(size);
  return Value::Of(Kind::kRange, std::move(range));
}

Result Dict(Arguments& arguments) {
  DictBuilder dict;
  if (arguments.positional.size() > 1) {
    return TypeError(Cat("dict expected at most 1 argument, got ",
                         arguments.positional.size()));
  }
  if (!arguments.positional.empty()) {
    const Value& from = arguments.positional[0];
    if (from.Is(Kind::kDict)) {
      for (const auto& [key, value] : from.dict().entries) {
        COHORT_RETURN_IF_ERROR(dict.Set(key, value));
      }
    } else {
      COHORT_ASSIGN_OR_RETURN(const std::vector<Value> pairs, Items(from));
      for (const Value& pair : pairs) {
        COHORT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(pair));
        if (items.size() != 2) {
          return ValueError(
              "dictionary update sequence element has the wrong length; 2 is "
              "required");
        }
        COHORT_RETURN_IF_ERROR(dict.Set(items[0], items[1]));
      }
    }
  }
  for (auto& [name, value] : arguments.named) dict.Set(name, std::move(value));
  return dict.Build();
}

// dict.fromkeys(keys, value).
Result FromKeys(Arguments& arguments) {
  COHORT_ASSIGN_OR_RETURN(
      const Bound bound,
      Bound::Make("fromkeys", {{"iterable", "value"}, 1, false}, arguments));
  COHORT_ASSIGN_OR_RETURN(const std::vector<Value> keys, Items(bound[0]));
  DictBuilder dict;
  for (const Value& key : keys) {
    COHORT_RETURN_IF_ERROR(dict.Set(key, bound.Or(1, Value::None())));
  }
  return dict.Build();
}

Value MakeDictFunction() {
  auto dict = std::make_shared<AttributedCallable>();
  dict->name = "dict";
  dict->call = Dict;
  dict->attributes = {{"fromkeys", MakeCallable("fromkeys", FromKeys)}};
  return Value::Of(Kind::kCallable, std::move(dict));
}

Result MakeCycler(Arguments& arguments) {
  if (!arguments.named.empty()) {
    return TypeError("cycler() takes no keyword arguments");
  }
  if (arguments.positional.empty()) {
    return Error("RuntimeError", "at least one item has to be provided");
  }
  COHORT_ASSIGN_OR_RETURN(const Value items,
                          MakeTuple(std::move(arguments.positional)));
  auto cycler = std::make_shared<CyclerObject>();
  cycler->items = items.items();
  cycler->depth = items.depth() + 1;
  COHORT_RETURN_IF_ERROR(CheckSize(cycler->depth, 0));
  return Value::Of(Kind::kCycler, std::move(cycler));
}

Result MakeJoiner(Arguments& arguments) {
  COHORT_ASSIGN_OR_RETURN(const Bound bound,
                          Bound::Make("joiner", {{"sep"}, 0}, arguments));
  Value mark = bound.Or(0, Value::String(", "));
  COHORT_RETURN_IF_ERROR(CheckSize(mark.depth() + 2, 0));
  Value joiner = MakeCallable(
      "joiner", [mark, used = false](Arguments& none) mutable -> Result {
        if (!none.positional.empty() || !none.named.empty()) {
          return TypeError("a joiner takes no arguments");
        }
        if (!std::exchange(used, true)) return Value::String("");
        return mark;
      });
  joiner.object()->depth = mark.depth() + 1;
  return joiner;
}

Result RaiseException(Arguments& arguments) {
  COHORT_ASSIGN_OR_RETURN(
      const Bound bound,
      Bound::Make("raise_exception", {{"message"}, 1}, arguments));
  COHORT_ASSIGN_OR_RETURN(const std::string message, Str(bound[0]));
  return Error("TemplateError", message);
}

Result FormatNow(absl::Time now, Arguments& arguments) {
  COHORT_ASSIGN_OR_RETURN(
      const Bound bound,
      Bound::Make("strftime_now", {{"format"}, 1}, arguments));
  COHORT_ASSIGN_OR_RETURN(const std::string given, bound.Text(0));
  // Python's own: the time has no zone, and %f its microseconds.
  std::string format;
  for (size_t i = 0; i < given.size(); ++i) {
    const char next = i + 1 < given.size() ? given[i + 1] : '\0';
    if (given[i] != '%' || (next != 'f' && next != 'z' && next != 'Z')) {
      format += given[i];
      if (given[i] == '%' && next != '\0') format += given[++i];
      continue;
    }
    if (next == 'f') {
      absl::StrAppendFormat(&format, "%06d", absl::ToUnixMicros(now) % 1000000);
    }
    ++i;
  }
  if (format.empty()) return Value::String("");
  const std::tm local = absl::ToTM(now, absl::LocalTimeZone());
  // No directive writes more than this many characters.
  std::string text(format.size() * 64 + 64, '\0');
  text.resize(std::strftime(text.data(), text.size(), format.c_str(), &local));
  return MakeString(std::move(text));
}

Result NotBuilt(Arguments&) {
  return absl::UnimplementedError("this function is not supported");
}

}  // namespace

std::map<std::string, Value> MakeFunctions(absl::Time now) {
  return {
      {"range", MakeCallable("range", Range)},
      {"dict", MakeDictFunction()},
      {"cycler", MakeCallable("cycler", MakeCycler)},
      {"joiner", MakeCallable("joiner", MakeJoiner)},
      {"lipsum", MakeCallable("lipsum", NotBuilt)},
      {"raise_exception", MakeCallable("raise_exception", RaiseException)},
      {"strftime_now", MakeCallable("strftime_now",
                                    [now](Arguments& arguments) {
                                      return FormatNow(now, arguments);
                                    })},
  };
}

}  // namespace cohort::jinja
