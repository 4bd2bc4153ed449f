// Functions that have attributes beside being called: macros, dict.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/jinja/value.h"

namespace cohort::jinja {

struct AttributedCallable : CallableObject {
  std::vector<std::pair<std::string, Value>> attributes;
};

}  // namespace cohort::jinja
