#include "rewards/judge.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "proto/status.h"

namespace cohort {
namespace {

using Json = nlohmann::json;

// One answer, or one question of a test, at most.
constexpr size_t kMaxFrameBytes = size_t{32} << 20;

Outcome Failed(Outcome outcome, RunVerdict verdict, std::string reason) {
  outcome.verdict = verdict;
  outcome.reason = std::move(reason);
  return outcome;
}

std::string CaseName(size_t number, size_t total) {
  return total == 1 ? "" : absl::StrCat("case ", number + 1, ": ");
}

// What an ended program that owed an answer is: never right.
Outcome Unanswered(Outcome outcome, Judgement* judgement) {
  if (outcome.verdict != RunVerdict::kAC &&
      outcome.verdict != RunVerdict::kRE) {
    return outcome;
  }
  judgement->suspicions.push_back("ended before it answered");
  return Failed(std::move(outcome), RunVerdict::kRE,
                "the program ended before it answered");
}

// Ends a program that has said all it was asked; only a limit it broke on the
// way counts.
Outcome EndSatisfied(RunningProgram* running) {
  running->Kill();
  Outcome outcome = running->Finish();
  if (outcome.verdict == RunVerdict::kRE) {
    outcome.verdict = RunVerdict::kAC;
    outcome.reason.clear();
    outcome.signal = 0;
    outcome.exit_code = 0;
  }
  return outcome;
}

// "ok" or "raise" with what follows; nothing where it is no answer.
struct Answer {
  bool raised = false;
  PyValue value;      // What was returned.
  std::string error;  // "ValueError: text".
};

std::optional<Answer> ReadAnswer(std::string_view frame) {
  const absl::StatusOr<PyValue> reply = DecodePyValue(frame);
  if (!reply.ok() || reply->kind != PyValue::Kind::kList ||
      reply->items.empty()) {
    return std::nullopt;
  }
  const std::vector<PyValue>& items = reply->items;
  if (items[0].text == "ok" && items.size() == 2) {
    return Answer{.raised = false, .value = items[1], .error = ""};
  }
  if (items[0].text == "raise" && items.size() == 3) {
    return Answer{.raised = true,
                  .value = {},
                  .error = absl::StrCat(items[1].text, ": ", items[2].text)};
  }
  return std::nullopt;
}

// From the zygote, where its language has one.
Program ScriptProgram(Program program) {
  if (!program.language->zygote.empty()) {
    program.zygote = true;
    program.argv = {"script", program.language->source};
  }
  return program;
}

Program ServeProgram(const Program& program) {
  Program serve = program;
  serve.zygote = true;
  serve.channel = true;
  serve.argv = {"serve", program.language->source};
  return serve;
}

// A call whose answer must be a plain value.
std::string CallFrame(const std::string& name,
                      const std::vector<PyValue>& args) {
  PyValue no_keywords;
  no_keywords.kind = PyValue::Kind::kDict;
  return absl::StrCat("P", EncodePyValue(PyList({PyStr("call"), PyStr(name),
                                                 PyList(args), no_keywords})));
}

bool NeedsPython(const TestSet& tests) {
  return !tests.functions.empty() || !tests.assertions.empty();
}

}  // namespace

Judgement Judge::JudgeSubmission(const Source& source, const TestSet& tests) {
  Judgement judgement;
  if (const absl::Status limits = CheckLimits(tests.limits); !limits.ok()) {
    judgement.outcome.reason = std::string(limits.message());
    return judgement;
  }
  const Compiled compiled = compiler_.Compile(source, tests.compile_limits);
  if (compiled.outcome.verdict != RunVerdict::kAC) {
    judgement.outcome = compiled.outcome;
    judgement.total = static_cast<int>(
        tests.stdio.size() + tests.functions.size() + tests.assertions.size());
  } else if (!NeedsPython(tests)) {
    judgement = RunStdio(compiled.program, tests);
  } else if (compiled.program.language->zygote.empty()) {
    judgement.outcome.reason = absl::StrCat(
        "tests that call functions need a language with a zygote, not ",
        compiled.program.language->name);
  } else if (!tests.functions.empty()) {
    judgement = RunFunctions(compiled.program, tests);
  } else {
    judgement = RunAssertions(compiled.program, tests);
  }
  if (judgement.outcome.verdict == RunVerdict::kSV) {
    judgement.suspicions.push_back("a forbidden system call");
  }
  return judgement;
}

Outcome Judge::RunSource(const Source& source, std::string input,
                         const Limits& limits) {
  Compiled compiled = compiler_.Compile(source, CompileLimits());
  if (compiled.outcome.verdict != RunVerdict::kAC) return compiled.outcome;
  Program program = ScriptProgram(std::move(compiled.program));
  program.input = std::move(input);
  return sandbox_.RunProgram(program, limits);
}

Judgement Judge::RunStdio(Program program, const TestSet& tests) {
  program = ScriptProgram(std::move(program));
  Judgement judgement;
  judgement.total = static_cast<int>(tests.stdio.size());
  judgement.outcome.verdict = RunVerdict::kAC;
  for (size_t i = 0; i < tests.stdio.size(); ++i) {
    const StdioCase& test = tests.stdio[i];
    program.input = test.input;
    Outcome outcome = sandbox_.RunProgram(program, tests.limits);
    judgement.cpu += outcome.cpu;
    if (outcome.verdict == RunVerdict::kAC) {
      std::string flaw =
          CheckOutput(test, outcome.out, tests.checker, &outcome);
      if (!flaw.empty() && outcome.verdict == RunVerdict::kAC) {
        outcome = Failed(std::move(outcome), RunVerdict::kWA, std::move(flaw));
      }
    }
    if (outcome.verdict == RunVerdict::kAC) {
      ++judgement.passed;
    } else {
      outcome.reason =
          absl::StrCat(CaseName(i, tests.stdio.size()), outcome.reason);
    }
    const RunVerdict verdict = outcome.verdict;
    if (i == 0 || verdict > judgement.outcome.verdict) {
      judgement.outcome = std::move(outcome);
    }
    if (verdict == RunVerdict::kIE ||
        (verdict != RunVerdict::kAC && !tests.partial)) {
      break;
    }
  }
  return judgement;
}

std::string Judge::CheckOutput(const StdioCase& test, const std::string& output,
                               const Checker& checker, Outcome* outcome) {
  if (checker.kind != Checker::Kind::kProgram) {
    return OutputFlaw(output, test.expected, checker);
  }
  const auto broken = [&](absl::string_view why) {
    outcome->verdict = RunVerdict::kIE;
    outcome->reason = absl::StrCat("the checker: ", why);
    return outcome->reason;
  };
  const Outcome checked =
      RunSource(checker.program,
                Json({{"stdin", test.input},
                      {"expected", test.expected},
                      {"stdout", output}})
                    .dump(-1, ' ', false, Json::error_handler_t::replace),
                Limits());
  if (checked.verdict != RunVerdict::kAC) return broken(checked.reason);
  Json said = Json::parse(checked.out, nullptr, /*allow_exceptions=*/false);
  if (said.is_object() && said.contains("correct")) {
    said = Json(said["correct"]);
  }
  if (!said.is_boolean()) return broken("it printed neither true nor false");
  return said.get<bool>() ? "" : "the checker says no";
}

Judgement Judge::RunFunctions(const Program& program, const TestSet& tests) {
  Judgement judgement;
  judgement.total = static_cast<int>(tests.functions.size());
  const Program serve = ServeProgram(program);
  auto launched = sandbox_.Launch({&serve}, tests.limits);
  if (!launched.ok()) {
    judgement.outcome.reason = std::string(launched.status().message());
    return judgement;
  }
  judgement.outcome = CallFunctions((*launched)[0].get(), tests, &judgement);
  judgement.cpu = judgement.outcome.cpu;
  sandbox_.Count(judgement.outcome);
  return judgement;
}

Outcome Judge::CallFunctions(RunningProgram* running, const TestSet& tests,
                             Judgement* judgement) {
  const size_t cases = tests.functions.size();
  RunVerdict worst = RunVerdict::kAC;
  std::string reason;
  // The first answer says whether the file could be loaded.
  for (size_t i = 0; i <= cases; ++i) {
    if (i > 0) {
      running->Send(CallFrame(tests.entry_point, tests.functions[i - 1].args));
    }
    const std::optional<std::string> frame = running->Receive(kMaxFrameBytes);
    const std::optional<Answer> answer =
        frame.has_value() ? ReadAnswer(*frame) : std::nullopt;
    if (!answer.has_value()) {
      if (frame.has_value()) {
        judgement->suspicions.push_back("forged an answer");
        running->Kill();
      }
      return Unanswered(running->Finish(), judgement);
    }
    const RunVerdict verdict =
        i == 0 && !answer->raised ? RunVerdict::kAC
        : answer->raised          ? RunVerdict::kRE
        : SamePyValue(answer->value, tests.functions[i - 1].expected,
                      tests.checker.tolerance)
            ? RunVerdict::kAC
            : RunVerdict::kWA;
    if (i > 0 && verdict == RunVerdict::kAC) ++judgement->passed;
    if (verdict > worst) {
      worst = verdict;
      reason = absl::StrCat(
          i == 0 ? "loading it: " : CaseName(i - 1, cases),
          answer->raised ? answer->error
                         : "returned " + ShowPyValue(answer->value, 100));
    }
    if (worst != RunVerdict::kAC && (i == 0 || !tests.partial)) break;
  }
  Outcome outcome = EndSatisfied(running);
  if (worst <= outcome.verdict) return outcome;
  return Failed(std::move(outcome), worst, std::move(reason));
}

Judgement Judge::RunAssertions(const Program& program, const TestSet& tests) {
  Judgement judgement;
  judgement.total = static_cast<int>(tests.assertions.size());
  judgement.outcome.verdict = RunVerdict::kAC;
  for (size_t i = 0; i < tests.assertions.size(); ++i) {
    Outcome outcome = RunOneAssertion(program, tests, tests.assertions[i]);
    sandbox_.Count(outcome);
    judgement.cpu += outcome.cpu;
    const RunVerdict verdict = outcome.verdict;
    if (verdict == RunVerdict::kAC) {
      ++judgement.passed;
    } else {
      outcome.reason =
          absl::StrCat(CaseName(i, tests.assertions.size()), outcome.reason);
    }
    if (i == 0 || verdict > judgement.outcome.verdict) {
      judgement.outcome = std::move(outcome);
    }
    if (verdict == RunVerdict::kIE ||
        (verdict != RunVerdict::kAC && !tests.partial)) {
      break;
    }
  }
  if (absl::StrContains(judgement.outcome.reason, "before it answered")) {
    judgement.suspicions.push_back("ended before it answered");
  }
  return judgement;
}

Outcome Judge::RunOneAssertion(const Program& program, const TestSet& tests,
                               const std::string& assertion) {
  const Program serve = ServeProgram(program);
  Program tester = serve;
  tester.argv = {"tests"};
  tester.files.clear();
  auto launched = sandbox_.Launch({&serve, &tester}, tests.limits);
  if (!launched.ok()) {
    return Failed({}, RunVerdict::kIE,
                  std::string(launched.status().message()));
  }
  RunningProgram& submission = *(*launched)[0];
  RunningProgram& testing = *(*launched)[1];
  Judgement unused;
  std::optional<std::string> reply = submission.Receive(kMaxFrameBytes);
  const std::optional<Answer> loaded =
      reply.has_value() ? ReadAnswer(*reply) : std::nullopt;
  if (!loaded.has_value()) return Unanswered(submission.Finish(), &unused);
  if (loaded->raised) {
    submission.Kill();
    return Failed(submission.Finish(), RunVerdict::kRE,
                  absl::StrCat("loading it: ", loaded->error));
  }
  testing.Send(EncodePyValue(PyList(
      {PyStr(tests.setup), PyStr(assertion), PyStr(tests.entry_point)})));
  while (true) {
    const std::optional<std::string> said = testing.Receive(kMaxFrameBytes);
    if (!said.has_value() || said->empty()) {
      // What the submission hands over may be too much for the tests.
      const Outcome outcome = testing.Finish();
      if (outcome.verdict == RunVerdict::kIE) return outcome;
      return Failed(outcome, RunVerdict::kRE,
                    absl::StrCat("the tests ended: ", outcome.reason));
    }
    if ((*said)[0] == 'D') {
      const absl::StatusOr<PyValue> done = DecodePyValue(said->substr(1));
      Outcome outcome = EndSatisfied(&submission);
      if (!done.ok() || done->items.size() != 3) {
        return Failed(outcome, RunVerdict::kIE, "the tests said nothing");
      }
      const std::string& word = done->items[0].text;
      if (word == "pass" || outcome.verdict != RunVerdict::kAC) return outcome;
      const RunVerdict verdict = word == "fail"    ? RunVerdict::kWA
                                 : word == "raise" ? RunVerdict::kRE
                                                   : RunVerdict::kIE;
      return Failed(
          outcome, verdict,
          absl::StrCat(word == "broken" ? "the tests are broken: " : "",
                       ShowPyValue(done->items[1], 300), " (line ",
                       ShowPyValue(done->items[2], 20), " of the tests)"));
    }
    if (!submission.Send(said->substr(1))) {
      return Unanswered(submission.Finish(), &unused);
    }
    reply = submission.Receive(kMaxFrameBytes);
    if (!reply.has_value()) return Unanswered(submission.Finish(), &unused);
    testing.Send(*reply);
  }
}

}  // namespace cohort
