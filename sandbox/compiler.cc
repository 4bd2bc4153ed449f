#include "sandbox/compiler.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr size_t kMaxEntries = 512;
constexpr int64_t kMaxArtifactBytes = int64_t{256} << 20;
constexpr char kShell[] = "/bin/sh";

Compiled Failed(RunVerdict verdict, std::string reason) {
  Compiled compiled;
  compiled.outcome.verdict = verdict;
  compiled.outcome.reason = std::move(reason);
  return compiled;
}

// Flags go into a shell line, so each is a plain word that begins with "-".
absl::Status CheckFlags(const std::string& flags) {
  for (const absl::string_view flag :
       absl::StrSplit(flags, ' ', absl::SkipEmpty())) {
    const bool plain =
        flag[0] == '-' && flag.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+.,") ==
                              absl::string_view::npos;
    if (!plain) {
      return absl::InvalidArgumentError(
          absl::StrCat("compile flag '", flag, "' is no plain flag"));
    }
  }
  return absl::OkStatus();
}

// A run of the shell that makes `artifact` and writes it to standard output.
Program MakeProgram(const Language& language, const std::string& line,
                    const std::string& artifact, SharedBytes source,
                    const std::string& source_name) {
  Program program;
  program.language = &language;
  program.argv = {kShell, "-c",
                  absl::StrCat("{ ", line, "\n} >&2 && exec cat ", artifact)};
  program.files = {{source_name, std::move(source)}};
  return program;
}

Limits RunLimits(const CompileLimits& limits) {
  return {.cpu = limits.cpu,
          .wall = limits.cpu + absl::Seconds(5),
          .wall_most = limits.cpu * 4 + absl::Seconds(20),
          .memory_bytes = limits.memory_bytes,
          .disk_bytes = std::min<int64_t>(limits.memory_bytes, 256 << 20),
          .output_bytes = kMaxArtifactBytes};
}

}  // namespace

Compiled Compiler::Compile(const Source& source, const CompileLimits& limits) {
  const Language* const language = sandbox_.languages().Find(source.language);
  if (language == nullptr) {
    return Failed(RunVerdict::kIE,
                  absl::StrCat("no language '", source.language, "'"));
  }
  if (const std::string tool = MissingTool(*language); !tool.empty()) {
    return Failed(RunVerdict::kIE, absl::StrCat("language ", language->name,
                                                ": ", tool, " is missing"));
  }
  if (source.text.size() > kMaxSourceBytes) {
    return Failed(RunVerdict::kCE,
                  absl::StrCat("a source of ", source.text.size(),
                               " bytes; at most ", kMaxSourceBytes));
  }
  if (const absl::Status flags = CheckFlags(source.flags); !flags.ok()) {
    return Failed(RunVerdict::kIE, std::string(flags.message()));
  }
  if (language->compile.empty()) return Build(*language, source, limits);

  const std::string key =
      absl::StrCat(language->name, "\n", source.flags, "\n",
                   absl::ToInt64Milliseconds(limits.cpu), " ",
                   limits.memory_bytes, "\n", source.text);
  std::shared_ptr<Entry> entry;
  {
    absl::MutexLock lock(&mu_);
    std::shared_ptr<Entry>& found = entries_[key];
    if (found != nullptr) {
      ++figures_.hits;
      entry = found;
      mu_.Await(absl::Condition(&entry->done));
      return entry->compiled;
    }
    ++figures_.misses;
    found = std::make_shared<Entry>();
    entry = found;
    order_.push_back(key);
    if (order_.size() > kMaxEntries) {
      entries_.erase(order_.front());
      order_.pop_front();
    }
  }
  Compiled compiled = Build(*language, source, limits);
  absl::MutexLock lock(&mu_);
  entry->compiled = std::move(compiled);
  entry->done = true;
  // What went wrong here may go right the next time.
  if (entry->compiled.outcome.verdict == RunVerdict::kIE) {
    const auto found = entries_.find(key);
    if (found != entries_.end() && found->second == entry) {
      entries_.erase(found);
      order_.remove(key);
    }
  }
  return entry->compiled;
}

Compiler::Figures Compiler::figures() const {
  absl::MutexLock lock(&mu_);
  return figures_;
}

Compiled Compiler::Build(const Language& language, const Source& source,
                         const CompileLimits& limits) {
  absl::StatusOr<SharedBytes> text = ShareBytes(source.text);
  if (!text.ok()) {
    return Failed(RunVerdict::kIE, std::string(text.status().message()));
  }
  Compiled compiled;
  compiled.program.language = &language;
  compiled.program.argv = language.run;
  compiled.outcome.verdict = RunVerdict::kAC;
  if (language.compile.empty()) {
    compiled.program.files = {{language.source, *std::move(text)}};
    return compiled;
  }
  PrecompileHeader(language, source);
  const std::string line =
      absl::StrReplaceAll(language.compile, {{"{flags}", source.flags}});
  Program compile = MakeProgram(language, line, language.artifact,
                                *std::move(text), language.source);
  // The compiler may start what the programs of the language need not.
  compiled.outcome = sandbox_.RunProgram(compile, RunLimits(limits));
  Outcome& outcome = compiled.outcome;
  if (outcome.verdict == RunVerdict::kIE) return compiled;
  if (outcome.verdict != RunVerdict::kAC) {
    outcome.reason = absl::StrCat("compiler: ", outcome.reason);
    outcome.verdict = RunVerdict::kCE;
    outcome.out.clear();
    return compiled;
  }
  absl::StatusOr<SharedBytes> artifact = ShareBytes(outcome.out);
  outcome.out.clear();
  if (!artifact.ok()) {
    return Failed(RunVerdict::kIE, std::string(artifact.status().message()));
  }
  if (language.run.empty()) {
    compiled.program.executable = *std::move(artifact);
  } else {
    compiled.program.files = {{language.artifact, *std::move(artifact)}};
  }
  return compiled;
}

// Once for each language, when the first source asks for the header. Without
// it everything works, slower.
void Compiler::PrecompileHeader(const Language& language,
                                const Source& source) {
  if (language.header.empty() ||
      !absl::StrContains(source.text, language.header)) {
    return;
  }
  absl::MutexLock lock(&header_mu_);
  bool& done = headers_[language.name];
  if (done) return;
  done = true;
  const absl::StatusOr<SharedBytes> text =
      ShareBytes(absl::StrCat("#include ", language.header, "\n"));
  if (!text.ok()) return;
  Program program = MakeProgram(language, language.compile_header, "header.gch",
                                *text, "header.h");
  const Outcome outcome = sandbox_.RunProgram(
      program,
      RunLimits({.cpu = absl::Seconds(60), .memory_bytes = int64_t{2} << 30}));
  if (outcome.verdict != RunVerdict::kAC) return;
  const absl::StatusOr<SharedBytes> header = ShareBytes(outcome.out);
  if (!header.ok()) return;
  // "<bits/stdc++.h>" is looked for as "bits/stdc++.h.gch" in each folder of
  // the path; a shared file has no folder, so a map of names stands for it.
  sandbox_.ShareFile(language.name + ".h.gch", *header).IgnoreError();
}

}  // namespace cohort
