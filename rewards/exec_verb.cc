#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "proto/descriptor.h"
#include "proto/flags.h"
#include "proto/log.h"
#include "proto/rows.h"
#include "proto/status.h"
#include "rewards/code_rows.h"
#include "rewards/language_table.h"
#include "rewards/verbs.h"

namespace cohort {
namespace {

constexpr size_t kShownBytes = 4096;
constexpr char kCut[] = "...[cut]";

struct ExecFlags {
  std::string input;
  std::string output;
  int workers = 2;
  bool allow_weak = false;
};

// Opens `file` below `folder`, wherever its links lead; never outside.
absl::StatusOr<std::string> ReadBelow(int folder, const std::string& file) {
  open_how how = {};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const Descriptor opened(static_cast<int>(
      syscall(SYS_openat2, folder, file.c_str(), &how, sizeof(how))));
  if (opened.get() < 0 && errno == EXDEV) {
    return absl::InvalidArgumentError(
        absl::StrCat("file ", file, " is outside the manifest's folder"));
  }
  struct stat info = {};
  if (opened.get() < 0 || fstat(opened.get(), &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", file));
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(file, " is no file"));
  }
  std::string text(static_cast<size_t>(info.st_size), '\0');
  const ssize_t size = pread(opened.get(), text.data(), text.size(), 0);
  if (size < 0) return absl::ErrnoToStatus(errno, absl::StrCat("read ", file));
  text.resize(static_cast<size_t>(size));
  return text;
}

absl::StatusOr<std::vector<ExecRow>> ReadManifest(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = path == "-" || slash == std::string::npos
                                 ? "."
                                 : path.substr(0, slash + 1);
  const Descriptor base(
      open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  COHORT_ASSIGN_OR_RETURN(std::vector<ExecRow> rows,
                          ParseRows(path, &ParseExecRow));
  for (ExecRow& row : rows) {
    if (!row.flaw.empty()) continue;
    absl::StatusOr<std::string> text = ReadBelow(base.get(), row.file);
    if (text.ok()) {
      row.source.text = *std::move(text);
    } else {
      row.flaw = std::string(text.status().message());
    }
  }
  return rows;
}

Outcome JudgeOnce(Judge* judge, const ExecRow& row) {
  if (row.flaw.empty()) {
    return judge->JudgeSubmission(row.source, row.tests).outcome;
  }
  Outcome outcome;
  outcome.reason = row.flaw;
  return outcome;
}

// Keeps no more of what it printed than is shown.
void KeepWorse(Outcome next, std::optional<Outcome>* worst) {
  for (std::string* text : {&next.out, &next.err}) {
    if (text->size() <= kShownBytes) continue;
    *text = text->substr(0, kShownBytes) + kCut;
  }
  if (!worst->has_value() || next.verdict > (*worst)->verdict) {
    *worst = std::move(next);
  }
}

// Rows that must be judged by one worker: one row, or the two of a pair.
using Task = std::vector<size_t>;

std::vector<Task> TasksOf(const std::vector<ExecRow>& rows) {
  std::map<std::string, size_t> by_file;
  for (size_t i = 0; i < rows.size(); ++i) by_file[rows[i].file] = i;
  std::vector<Task> tasks;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto other = by_file.find(rows[i].pair);
    if (rows[i].pair.empty() || other == by_file.end()) {
      tasks.push_back({i});
    } else if (other->second > i) {
      tasks.push_back({i, other->second});
    } else if (rows[other->second].pair != rows[i].file) {
      tasks.push_back({i});
    }
  }
  return tasks;
}

// Which of a pair writes and which reads is not said, so each is run after the
// other once.
void JudgeTask(Judge* judge, const std::vector<ExecRow>& rows, const Task& task,
               std::vector<std::optional<Outcome>>* outcomes) {
  for (size_t round = 0; round < task.size(); ++round) {
    for (const size_t row : task) {
      for (int run = 0; run < rows[row].runs; ++run) {
        KeepWorse(JudgeOnce(judge, rows[row]), &(*outcomes)[row]);
      }
    }
  }
}

std::string PrintRow(const ExecRow& row, const Outcome& outcome, bool weak) {
  nlohmann::ordered_json out;
  out["file"] = row.file;
  out["verdict"] = std::string(VerdictCode(outcome.verdict));
  out["exit_code"] = outcome.exit_code;
  out["signal"] = outcome.signal;
  out["cpu_ms"] = absl::ToDoubleMilliseconds(outcome.cpu);
  out["wall_ms"] = absl::ToDoubleMilliseconds(outcome.wall);
  out["peak_memory_bytes"] = outcome.peak_memory_bytes;
  out["stdout"] = outcome.out;
  out["stderr"] = outcome.err;
  out["reason"] = outcome.reason;
  if (weak) out["weak"] = true;
  return out.dump(-1, ' ', false,
                  nlohmann::ordered_json::error_handler_t::replace);
}

std::string JudgeRows(Sandbox* sandbox, const std::vector<ExecRow>& rows,
                      int workers) {
  Judge judge(sandbox);
  const bool weak = !sandbox->Weakness().empty();
  const std::vector<Task> tasks = TasksOf(rows);
  std::vector<std::optional<Outcome>> outcomes(rows.size());
  std::atomic<size_t> next = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < workers; ++i) {
      threads.emplace_back([&] {
        for (size_t t = next++; t < tasks.size(); t = next++) {
          JudgeTask(&judge, rows, tasks[t], &outcomes);
        }
      });
    }
  }
  std::string content;
  for (size_t i = 0; i < rows.size(); ++i) {
    content += PrintRow(rows[i], *outcomes[i], weak) + "\n";
  }
  return content;
}

absl::Status ExecFile(const ExecFlags& flags) {
  COHORT_ASSIGN_OR_RETURN(const std::vector<ExecRow> rows,
                          ReadManifest(flags.input));
  COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<Sandbox> sandbox,
                          Sandbox::Start({.languages = BuiltInLanguages(),
                                          .slots = flags.workers * 2,
                                          .launcher = ""}));
  if (const std::string weakness = sandbox->Weakness(); !weakness.empty()) {
    const std::string text =
        absl::StrCat("the sandbox is weak on this machine: ", weakness);
    if (!flags.allow_weak) {
      return absl::FailedPreconditionError(
          absl::StrCat(text, "; --allow-weak runs it all the same"));
    }
    COHORT_LOG(WARNING) << text;
  }
  return WriteOutput(flags.output,
                     JudgeRows(sandbox.get(), rows, flags.workers));
}

}  // namespace

int ExecVerb(const std::vector<std::string>& args) {
  ExecFlags flags;
  FlagParser parser("exec",
                    "Runs the programs of a manifest in the sandbox and judges "
                    "them: {file, verdict, exit_code, signal, cpu_ms, wall_ms, "
                    "peak_memory_bytes, stdout, stderr, reason}, in input "
                    "order.");
  parser.Required("input", &flags.input, "MANIFEST",
                  "JSONL; files are below its folder; - is standard input");
  parser.Required("output", &flags.output, "FILE",
                  "JSONL; - is standard output");
  parser.Flag("workers", &flags.workers, "N", "programs at a time");
  parser.Switch("allow-weak", &flags.allow_weak,
                "run also where a fence is missing on this machine");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  if (flags.workers < 1 || flags.workers > 256) {
    return WrongCall("exec", "flag --workers must be 1 to 256");
  }
  return ExitCode(ExecFile(flags));
}

}  // namespace cohort
