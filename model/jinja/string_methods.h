// Methods of str, in two files: those that look at a text or change its shape,
// and those that take it apart.
#pragma once

#include <string_view>

#include "model/jinja/signature.h"
#include "model/jinja/value.h"

namespace cohort::jinja {

using Method = Result (*)(const Value& self, const Bound& arguments);

struct MethodEntry {
  std::string_view name;
  Signature signature;
  Method call;
};

// Null if there is none of that name.
const MethodEntry* FindSplitMethod(std::string_view name);

// A part of `whole`, marked as it is.
Value PartOf(const Value& whole, std::string_view text);

}  // namespace cohort::jinja
