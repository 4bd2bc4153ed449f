#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/chat_template.h"
#include "model/tokenizer.h"
#include "proto/flags.h"
#include "proto/rows.h"
#include "proto/status.h"
#include "rollout/tokenize_rows.h"
#include "rollout/verbs.h"

namespace cohort {
namespace {

struct TokenizeFlags {
  std::string model;
  bool decode = false;
};

absl::Status Tokenize(const TokenizeFlags& flags) {
  COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer,
                          Tokenizer::Load(flags.model));
  const TokenizeSettings settings{
      .tokenizer = tokenizer.get(),
      .chat_template = ChatTemplate::Load(flags.model),
      .decode = flags.decode};
  COHORT_RETURN_IF_ERROR(
      ForEachRow("-", [&](int64_t, std::string_view line) -> absl::Status {
        COHORT_ASSIGN_OR_RETURN(const std::string result,
                                TokenizeRow(line, settings));
        std::cout << result << '\n';
        return absl::OkStatus();
      }));
  std::cout.flush();
  if (!std::cout) return absl::DataLossError("cannot write standard output");
  return absl::OkStatus();
}

}  // namespace

int TokenizeVerb(const std::vector<std::string>& args) {
  TokenizeFlags flags;
  FlagParser parser("tokenize",
                    "Texts to tokens, or back: JSONL on standard input, JSONL "
                    "of {ids, text} on standard output.");
  parser.Required("model", &flags.model, "DIR",
                  "Hugging Face folder; only its tokenizer's files are read");
  parser.Switch("decode", &flags.decode,
                "rows are {ids, skip_special_tokens}, not {text, "
                "add_special_tokens} or {messages, tools, kwargs}");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  return ExitCode(Tokenize(flags));
}

}  // namespace cohort
