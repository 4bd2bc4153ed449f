// The tests of Jinja 3.1.6: what may follow `is`.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "model/jinja/value.h"

namespace cohort::jinja {

struct TestEntry {
  std::string_view name;
  size_t parameters;  // Behind the tested value; all are required.
  absl::StatusOr<bool> (*call)(const Value& value, const Value& argument);
};

// Null if there is none of that name.
const TestEntry* FindTest(std::string_view name);

// `arguments`: the tested value first. TemplateRuntimeError if there is no
// such test.
absl::StatusOr<bool> ApplyTest(std::string_view name, Arguments& arguments);

}  // namespace cohort::jinja
