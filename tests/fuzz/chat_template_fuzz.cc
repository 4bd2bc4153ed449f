// Any bytes as a chat template: an error or a text, never a crash, and never
// more work than its limit.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "model/jinja/interpreter.h"
#include "model/jinja/json_text.h"
#include "model/jinja/parser.h"
#include "model/jinja/scopes.h"

namespace {

// Something of every kind that a template may meet.
constexpr std::string_view kVariables = R"({
  "messages": [{"role": "user", "content": " héllo\n"},
               {"role": "assistant", "content": null, "tool_calls":
                [{"function": {"name": "f", "arguments": {"a": [1, 2.5]}}}]}],
  "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
  "add_generation_prompt": true, "n": 5, "f": -1.5, "x": "Hello World",
  "l": [3, 1, 2], "d": {"b": 1, "a": "é"}, "big": 123456789012345678901234567890
})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cohort::jinja;  // NOLINT: a program of one function.
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  absl::StatusOr<NodePtr> root = Parse(source);
  if (!root.ok() || !ResolveNames(root->get()).ok()) return 0;
  std::map<std::string, Value> variables;
  const Result given = FromJson(kVariables);
  for (const auto& [name, value] : given->dict().entries) {
    variables[name.text()] = value;
  }
  Interpreter interpreter(**root, std::move(variables), absl::UnixEpoch(),
                          RunLimits{.steps = 100'000});
  (void)interpreter.Run();
  return 0;
}
