// What the variable `loop` is inside a for.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "model/jinja/value.h"

namespace cohort::jinja {

// Takes one item after the other, and looks one ahead where the template asks
// whether this is the last.
struct LoopObject : Object {
  std::shared_ptr<IteratorObject> iterator;
  std::optional<int64_t> length;  // Known from the start, or counted once.
  int64_t index0 = -1;
  int64_t depth0 = 0;  // How many recursive loops are around this one.
  Value current;
  Value before;
  std::optional<Value> after;                 // Taken already.
  std::optional<std::vector<Value>> changed;  // Arguments of the last call.
  // loop(items) of a recursive loop; none in another.
  std::function<Result(const Value& items, int64_t depth0)> recurse;

  // The next item in `current`; false at the end.
  absl::StatusOr<bool> Next();
  absl::StatusOr<bool> IsLast();
  absl::StatusOr<int64_t> Size();
};

}  // namespace cohort::jinja
