#include "rewards/command_grader.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "proto/status.h"
#include "rewards/code_grader.h"
#include "rewards/code_rows.h"
#include "rewards/lean_reply.h"

namespace cohort {
namespace {

using Json = nlohmann::json;

struct CommandTask {
  Source program;
  Limits limits;
  std::optional<LeanTask> lean;
};

absl::StatusOr<std::string> TextOf(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) {
    return absl::InvalidArgumentError(absl::StrCat("no text '", key, "'"));
  }
  return found->get<std::string>();
}

absl::StatusOr<CommandTask> TaskOf(const Prompt& prompt) {
  const Json row =
      Json::parse(prompt.row_json(), nullptr, /*allow_exceptions=*/false);
  if (!row.is_object()) return absl::InvalidArgumentError("not a JSON object");
  const auto command = row.find("command");
  if (command == row.end() || !command->is_object()) {
    return absl::InvalidArgumentError("no object 'command'");
  }
  CommandTask task;
  COHORT_ASSIGN_OR_RETURN(task.program.language, TextOf(*command, "language"));
  COHORT_ASSIGN_OR_RETURN(task.program.text, TextOf(*command, "source"));
  COHORT_ASSIGN_OR_RETURN(task.limits, LimitsOfRow(command->dump()));
  const std::string protocol =
      row.contains("protocol") && row["protocol"].is_string()
          ? row["protocol"].get<std::string>()
          : "json";
  if (protocol == "lean") {
    COHORT_ASSIGN_OR_RETURN(std::string header, TextOf(row, "header"));
    COHORT_ASSIGN_OR_RETURN(std::string statement, TextOf(row, "statement"));
    COHORT_ASSIGN_OR_RETURN(
        task.lean, MakeLeanTask(std::move(header), std::move(statement)));
  } else if (protocol != "json") {
    return absl::InvalidArgumentError(
        absl::StrCat("no protocol '", protocol, "'; known: json, lean"));
  }
  return task;
}

absl::Status Broken(const Outcome& outcome) {
  return absl::InternalError(
      absl::StrCat("the command: ", VerdictCode(outcome.verdict), " ",
                   outcome.reason, " ", outcome.err.substr(0, 200)));
}

absl::StatusOr<Grade> ReadJsonVerdict(const std::string& text) {
  const Json said = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const bool correct = said.is_object() && said.contains("correct") &&
                       said["correct"].is_boolean();
  const bool scored =
      said.is_object() && said.contains("score") && said["score"].is_number();
  if (!correct && !scored) {
    return absl::InternalError(
        "the command printed no JSON with \"correct\" or \"score\"");
  }
  const double score = scored ? said["score"].get<double>()
                              : (said["correct"].get<bool>() ? 1.0 : 0.0);
  if (!(score >= 0 && score <= 1)) {
    return absl::InternalError(absl::StrCat("the command's score is ", score));
  }
  const auto text_of = [&](const char* key) {
    return said.contains(key) && said[key].is_string()
               ? said[key].get<std::string>()
               : std::string();
  };
  const bool right = correct ? said["correct"].get<bool>() : score == 1;
  Grade grade = right ? CorrectGrade(text_of("extracted"))
                      : WrongGrade(text_of("extracted"), text_of("reason"));
  grade.set_score(score);
  return grade;
}

std::string JsonInput(const Prompt& prompt, const Completion& completion) {
  const Json input = {{"completion", std::string(completion.text)},
                      {"finished", completion.finished},
                      {"prompt", prompt.text()},
                      {"answer", prompt.answer()},
                      {"row", Json::parse(prompt.row_json(), nullptr, false)}};
  return input.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<Grade> LeanGrade(const LeanTask& task, const std::string& proof,
                                const Outcome& outcome) {
  if (outcome.verdict == RunVerdict::kTLE ||
      outcome.verdict == RunVerdict::kMLE ||
      outcome.verdict == RunVerdict::kOLE) {
    Judgement judgement;
    judgement.outcome = outcome;
    return GradeOfJudgement(judgement, /*partial=*/false, /*weak=*/false);
  }
  if (outcome.verdict != RunVerdict::kAC) return Broken(outcome);
  COHORT_ASSIGN_OR_RETURN(const LeanReply reply,
                          ReadLeanReply(task, outcome.out));
  return reply.complete ? CorrectGrade(proof) : WrongGrade(proof, reply.reason);
}

}  // namespace

absl::Status CommandGrader::CheckPrompt(const Prompt& prompt) const {
  COHORT_ASSIGN_OR_RETURN(const CommandTask task, TaskOf(prompt));
  COHORT_ASSIGN_OR_RETURN(const std::shared_ptr<Judge> judge, host_->Get());
  const Language* const language =
      judge->sandbox().languages().Find(task.program.language);
  if (language == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("no language '", task.program.language, "'"));
  }
  if (const std::string tool = MissingTool(*language); !tool.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "language ", task.program.language, ": ", tool, " is missing"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Grade> CommandGrader::GradeOne(const Prompt& prompt,
                                              const Completion& completion,
                                              absl::Time /*deadline*/) const {
  COHORT_ASSIGN_OR_RETURN(const CommandTask task, TaskOf(prompt));
  COHORT_ASSIGN_OR_RETURN(const std::shared_ptr<Judge> judge, host_->Get());
  std::string input;
  std::string proof;
  if (task.lean.has_value()) {
    const std::optional<CodeBlock> block = LastCodeBlock(completion.text);
    if (!block.has_value()) return FormatErrorGrade("no code block");
    proof = block->code;
    if (const std::string flaw = LeanProofFlaw(*task.lean, proof);
        !flaw.empty()) {
      return WrongGrade(proof, flaw);
    }
    input = LeanRequest(*task.lean, proof);
  } else {
    input = JsonInput(prompt, completion);
  }
  const Outcome outcome =
      judge->RunSource(task.program, std::move(input), task.limits);
  COHORT_ASSIGN_OR_RETURN(
      Grade grade, task.lean.has_value() ? LeanGrade(*task.lean, proof, outcome)
                   : outcome.verdict == RunVerdict::kAC
                       ? ReadJsonVerdict(outcome.out)
                       : absl::StatusOr<Grade>(Broken(outcome)));
  grade.set_cpu_ms(absl::ToDoubleMilliseconds(outcome.cpu));
  grade.set_weak(host_->Weak());
  return grade;
}

}  // namespace cohort
