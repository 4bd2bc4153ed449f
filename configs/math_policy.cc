#include "configs/math_policy.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "proto/status.h"

namespace cohort {
namespace {

// A policy's name and what it changes in core; null where the name states what
// core does already.
struct NamedPolicy {
  std::string_view name;
  void (*apply)(MathPolicy* policy);
};

constexpr NamedPolicy kPolicies[] = {
    {"article-drop", [](MathPolicy* p) { p->drop_articles = true; }},
    {"assignments-tuple", [](MathPolicy* p) { p->assignments_tuple = true; }},
    {"base-drop", [](MathPolicy* p) { p->drop_base = true; }},
    {"base-value", [](MathPolicy* p) { p->base_value = true; }},
    {"bracket-answer", [](MathPolicy* p) { p->bracket_answers = true; }},
    {"chain-equality", nullptr},
    {"choices-only", [](MathPolicy* p) { p->choices_only = true; }},
    {"core", nullptr},
    {"decimal-comma", [](MathPolicy* p) { p->decimal_comma = true; }},
    {"degree-radian", [](MathPolicy* p) { p->degrees_are_radians = true; }},
    {"float-vs-exact", nullptr},
    {"gsm8k-hash", nullptr},
    {"inline-math-newline", nullptr},
    {"last-number", nullptr},
    {"latex-only", [](MathPolicy* p) { p->latex_only = true; }},
    {"list-of-names", [](MathPolicy* p) { p->names_without_order = true; }},
    {"multi-box-join", nullptr},
    {"multilingual", nullptr},
    {"ncr-notation", [](MathPolicy* p) { p->combinations = true; }},
    {"needs-problem", nullptr},
    {"no-box-anchor", nullptr},
    {"ordered-list", [](MathPolicy* p) { p->ordered_lists = true; }},
    {"paren-drop", [](MathPolicy* p) { p->drop_parentheses = true; }},
    {"percent-drop", nullptr},
    {"positive-domain", [](MathPolicy* p) { p->positive_variables = true; }},
    {"ratio-fraction", [](MathPolicy* p) { p->ratio_is_fraction = true; }},
    {"ratio-scale", [](MathPolicy* p) { p->scale_ratios = true; }},
    {"relations-no-sets", [](MathPolicy* p) { p->relations_are_sets = false; }},
    {"removable", [](MathPolicy* p) { p->removable = true; }},
    {"require-box", [](MathPolicy* p) { p->require_box = true; }},
    {"require-think", [](MathPolicy* p) { p->require_think = true; }},
    {"rounded-decimal", [](MathPolicy* p) { p->rounded_decimals = true; }},
    {"rounding-option", nullptr},
    {"row-column", nullptr},
    {"set-relation-option", nullptr},
    {"space-digits", nullptr},
    {"stop-token", nullptr},
    {"string-only", [](MathPolicy* p) { p->text_only = true; }},
    {"tex-comment", nullptr},
    {"think-tail", nullptr},
    {"time-format", nullptr},
    {"trailing-garbage", [](MathPolicy* p) { p->strict_tail = true; }},
    {"unclosed-box", nullptr},
    {"unicode-digits", [](MathPolicy* p) { p->unicode_digits = true; }},
    {"unicode-homoglyph", nullptr},
    {"unicode-invisible", nullptr},
    {"unit-conversion", [](MathPolicy* p) { p->convert_units = true; }},
    {"unit-mismatch", nullptr},
    {"unreduced-fraction", [](MathPolicy* p) { p->reduced_fractions = true; }},
    {"variable-names-option", [](MathPolicy* p) { p->strict_names = true; }},
    {"vector-tuple", [](MathPolicy* p) { p->vector_is_tuple = true; }},
    {"zero-power-zero", [](MathPolicy* p) { p->zero_to_zero = true; }},
};

absl::Status Choose(std::string_view choice, MathPolicy* policy) {
  for (const NamedPolicy& known : kPolicies) {
    if (known.name != choice) continue;
    if (known.apply != nullptr) known.apply(policy);
    return absl::OkStatus();
  }
  if (choice.starts_with("choices=")) {
    policy->choices = choice.substr(std::string_view("choices=").size());
    return absl::OkStatus();
  }
  int digits = 0;
  if (choice.starts_with("rounding=")) {
    choice.remove_prefix(std::string_view("rounding=").size());
    if (absl::SimpleAtoi(absl::string_view(choice.data(), choice.size()),
                         &digits) &&
        digits >= 0 && digits <= 100) {
      policy->rounding_digits = digits;
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat("'rounding=", std::string(choice.substr(0, 80)),
                     "' is not a number of decimals from 0 to 100"));
  }
  const std::string known = absl::StrJoin(
      MathPolicyNames(), ", ",
      [](std::string* out, std::string_view name) { out->append(name); });
  return absl::InvalidArgumentError(
      absl::StrCat("no maths policy '", std::string(choice.substr(0, 80)),
                   "'; known: ", known, ", rounding=N, choices=ABCD"));
}

}  // namespace

absl::StatusOr<MathPolicy> ParseMathPolicy(std::string_view text) {
  MathPolicy policy;
  for (const absl::string_view part :
       absl::StrSplit(absl::string_view(text.data(), text.size()), ',')) {
    const absl::string_view choice = absl::StripAsciiWhitespace(part);
    if (choice.empty()) continue;
    COHORT_RETURN_IF_ERROR(Choose({choice.data(), choice.size()}, &policy));
  }
  return policy;
}

std::vector<std::string_view> MathPolicyNames() {
  std::vector<std::string_view> names;
  for (const NamedPolicy& known : kPolicies) names.push_back(known.name);
  return names;
}

}  // namespace cohort
