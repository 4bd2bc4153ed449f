#include "rewards/maths/policy.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

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
    {"core", nullptr},
    {"decimal-comma", [](MathPolicy* p) { p->decimal_comma = true; }},
    {"degree-radian", [](MathPolicy* p) { p->degrees_are_radians = true; }},
    {"float-vs-exact", nullptr},
    {"gsm8k-hash", nullptr},
    {"inline-math-newline", nullptr},
    {"last-number", nullptr},
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

}  // namespace

absl::StatusOr<MathPolicy> PolicyByName(std::string_view name) {
  MathPolicy policy;
  for (const NamedPolicy& known : kPolicies) {
    if (known.name != name) continue;
    if (known.apply != nullptr) known.apply(&policy);
    return policy;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "no policy '", std::string(name.substr(0, 80)), "'; known: ",
      absl::StrJoin(PolicyNames(), ", ", [](auto* out, std::string_view known) {
        out->append(known);
      })));
}

std::vector<std::string_view> PolicyNames() {
  std::vector<std::string_view> names;
  for (const NamedPolicy& known : kPolicies) names.push_back(known.name);
  return names;
}

}  // namespace cohort
