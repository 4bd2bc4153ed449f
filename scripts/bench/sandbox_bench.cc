// The sandbox beside a bare process and bubblewrap, interleaved: wall time of
// one case from its start to its end, its output read.
//
//   sandbox_bench [--repeats 200] [--launcher PATH]
//
// Prints one JSON object: medians in milliseconds and, where all the CPU time
// of a case can be told, cases per CPU-second.
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "proto/check.h"
#include "proto/flags.h"
#include "rewards/judge.h"
#include "rewards/language_table.h"

namespace cohort {
namespace {

constexpr char kPython[] = "a, b = map(int, input().split())\nprint(a + b)\n";
constexpr char kCpp[] =
    "#include <bits/stdc++.h>\n"
    "int main(){int a,b;std::cin>>a>>b;std::cout<<a+b<<\"\\n\";}\n";
constexpr char kInput[] = "3 4\n";

double RusageSeconds(int who) {
  rusage usage = {};
  getrusage(who, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) /
             1e6;
}

// CPU seconds of the processes called `name` that this process began, and of
// theirs that are gone and were waited for.
double ServantSeconds() {
  double ticks = 0;
  std::vector<std::string> parents = {absl::StrCat(getpid())};
  for (int depth = 0; depth < 2; ++depth) {
    std::vector<std::string> children;
    for (const std::string& parent : parents) {
      std::ifstream list(
          absl::StrCat("/proc/", parent, "/task/", parent, "/children"));
      children.insert(children.end(), std::istream_iterator<std::string>(list),
                      {});
    }
    for (const std::string& child : children) {
      std::ifstream file(absl::StrCat("/proc/", child, "/stat"));
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      const size_t end = text.rfind(')');
      if (end == std::string::npos) continue;
      const std::vector<std::string> fields =
          absl::StrSplit(text.substr(end + 2), ' ');
      double user = 0;
      double system = 0;
      if (absl::SimpleAtod(fields[11], &user) &&
          absl::SimpleAtod(fields[12], &system)) {
        ticks += user + system;
      }
    }
    parents = children;
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Runs a command with kInput and reads its output to the end.
void RunBare(std::vector<std::string> args) {
  int in[2];
  int out[2];
  COHORT_CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  char path[] = "PATH=/usr/bin:/bin";
  char* env[] = {path, nullptr};
  pid_t pid = 0;
  COHORT_CHECK(
      posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), env) == 0);
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]);
  close(out[1]);
  // A program that has ended already reads nothing.
  if (write(in[1], kInput, sizeof(kInput) - 1) < 0)
    COHORT_CHECK(errno == EPIPE);
  close(in[1]);
  char bytes[4096];
  while (read(out[0], bytes, sizeof(bytes)) > 0) {
  }
  close(out[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  COHORT_CHECK(status == 0);
}

struct Contender {
  std::string name;
  std::function<absl::Duration()> run;  // Returns CPU time not in rusage.
  std::vector<double> wall_ms;
  double cpu_s = 0;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::function<absl::Duration()> JailRun(Sandbox* sandbox, Program program,
                                        const std::string& expected) {
  program.input = kInput;
  return [=] {
    const Outcome outcome = sandbox->RunProgram(program, Limits());
    COHORT_CHECK(outcome.verdict == RunVerdict::kAC);
    COHORT_CHECK(outcome.out == expected);
    return outcome.cpu;
  };
}

std::function<absl::Duration()> BareRun(std::vector<std::string> args) {
  return [=] {
    RunBare(args);
    return absl::ZeroDuration();
  };
}

std::vector<Contender> MakeContenders(Sandbox* sandbox, Compiler* compiler) {
  const Language* const python = sandbox->languages().Find("python");
  Program plain;
  plain.language = python;
  plain.argv = {"/bin/true"};
  const Compiled cold =
      compiler->Compile({"python", kPython, ""}, CompileLimits());
  const Compiled cpp = compiler->Compile({"cpp", kCpp, ""}, CompileLimits());
  COHORT_CHECK(cpp.outcome.verdict == RunVerdict::kAC);
  Program warm = cold.program;
  warm.zygote = true;
  warm.argv = {"script", "main.py"};
  const std::vector<std::string> bwrap = {"/usr/bin/bwrap",
                                          "--unshare-all",
                                          "--die-with-parent",
                                          "--ro-bind",
                                          "/usr",
                                          "/usr",
                                          "--symlink",
                                          "usr/lib",
                                          "/lib",
                                          "--symlink",
                                          "usr/lib64",
                                          "/lib64",
                                          "--proc",
                                          "/proc",
                                          "--dev",
                                          "/dev",
                                          "--tmpfs",
                                          "/tmp",
                                          "/usr/bin/python3",
                                          "-c",
                                          kPython};
  return {{"bare_true", BareRun({"/bin/true"}), {}},
          {"jail_true", JailRun(sandbox, plain, ""), {}},
          {"bare_python", BareRun({"/usr/bin/python3", "-c", kPython}), {}},
          {"bwrap_python", BareRun(bwrap), {}},
          {"jail_python_cold", JailRun(sandbox, cold.program, "7\n"), {}},
          {"jail_python_zygote", JailRun(sandbox, warm, "7\n"), {}},
          {"jail_cpp", JailRun(sandbox, cpp.program, "7\n"), {}}};
}

void Measure(Contender* contender, int batch) {
  const double servants = ServantSeconds();
  const double own =
      RusageSeconds(RUSAGE_SELF) + RusageSeconds(RUSAGE_CHILDREN);
  absl::Duration counted;
  for (int i = 0; i < batch; ++i) {
    const absl::Time begin = absl::Now();
    counted += contender->run();
    contender->wall_ms.push_back(
        absl::ToDoubleMilliseconds(absl::Now() - begin));
  }
  contender->cpu_s += absl::ToDoubleSeconds(counted) + ServantSeconds() -
                      servants + RusageSeconds(RUSAGE_SELF) +
                      RusageSeconds(RUSAGE_CHILDREN) - own;
}

int Main(const std::vector<std::string>& args) {
  int repeats = 200;
  std::string launcher;
  FlagParser parser("sandbox_bench", "Times the sandbox beside its peers.");
  parser.Flag("repeats", &repeats, "N", "cases of each kind");
  parser.Flag("launcher", &launcher, "PATH", "cohort-launcher");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  const auto sandbox = Sandbox::Start(
      {.languages = BuiltInLanguages(), .slots = 4, .launcher = launcher});
  if (!sandbox.ok()) return ExitCode(sandbox.status());
  Compiler compiler(sandbox->get());
  std::vector<Contender> contenders = MakeContenders(sandbox->get(), &compiler);
  constexpr int kBatch = 20;
  for (int done = 0; done < repeats; done += kBatch) {
    for (Contender& contender : contenders) Measure(&contender, kBatch);
  }
  std::string out;
  for (const Contender& contender : contenders) {
    absl::StrAppend(
        &out, out.empty() ? "{" : ", ", "\"", contender.name,
        "\": {\"p50_ms\": ", Median(contender.wall_ms), ", \"min_ms\": ",
        *std::min_element(contender.wall_ms.begin(), contender.wall_ms.end()),
        ", \"cases_per_cpu_s\": ",
        static_cast<double>(contender.wall_ms.size()) / contender.cpu_s, "}");
  }
  std::printf("%s}\n", out.c_str());
  return 0;
}

}  // namespace
}  // namespace cohort

int main(int argc, char** argv) {
  return cohort::Main(std::vector<std::string>(argv + 1, argv + argc));
}
