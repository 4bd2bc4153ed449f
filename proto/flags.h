// The command line: verbs and their flags, parsed strictly.
//
//   struct GradeFlags { std::string input; int workers = 2; };
//
//   int GradeVerb(const std::vector<std::string>& args) {
//     GradeFlags flags;
//     FlagParser parser("grade", "Grades a file of completions.");
//     parser.Required("input", &flags.input, "FILE", "rows to grade");
//     parser.Flag("workers", &flags.workers, "N", "threads");
//     if (std::optional<int> exit = parser.Parse(args)) return *exit;
//     return ExitCode(Grade(flags));
//   }
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cohort {

inline constexpr int kExitFailed = 1;     // The work failed.
inline constexpr int kExitWrongCall = 2;  // The command line is wrong.

// The parser of one verb. Variables keep their value, the default that the
// usage text shows, unless the flag is given; they must outlive the parser.
//
// Taken are `--name value`, `--name=value`, `--switch`, `--switch=false`, and
// `--`, after which everything is positional. Lists of texts grow with each
// mention; lists of numbers are written 1,8,64. Any other flag given twice is
// an error.
class FlagParser {
 public:
  FlagParser(absl::string_view verb, absl::string_view summary);

  void Flag(absl::string_view name, std::string* value,
            absl::string_view placeholder, absl::string_view help);
  void Flag(absl::string_view name, int* value, absl::string_view placeholder,
            absl::string_view help);
  void Flag(absl::string_view name, int64_t* value,
            absl::string_view placeholder, absl::string_view help);
  void Flag(absl::string_view name, uint64_t* value,
            absl::string_view placeholder, absl::string_view help);
  void Flag(absl::string_view name, double* value,
            absl::string_view placeholder, absl::string_view help);
  void Flag(absl::string_view name, std::vector<std::string>* values,
            absl::string_view placeholder, absl::string_view help);
  void Flag(absl::string_view name, std::vector<int>* values,
            absl::string_view placeholder, absl::string_view help);
  // False unless mentioned.
  void Switch(absl::string_view name, bool* value, absl::string_view help);

  // Like Flag, for a flag that must be given.
  template <typename T>
  void Required(absl::string_view name, T* value, absl::string_view placeholder,
                absl::string_view help) {
    Flag(name, value, placeholder, help);
    RequireLast();
  }

  // The next positional argument; all of them must be given.
  void Positional(absl::string_view name, std::string* value,
                  absl::string_view help);

  // Returns the exit code where the program should end now: 0 after `--help`
  // printed the usage to stdout, kExitWrongCall after one line on stderr.
  std::optional<int> Parse(absl::Span<const std::string> args);

  // The same without printing. kCancelled: `--help` was asked for.
  absl::Status TryParse(absl::Span<const std::string> args);

  std::string Usage() const;

 private:
  // Parses and stores a value; the error says what was expected.
  using Setter = std::function<absl::Status(absl::string_view)>;
  struct Spec {
    std::string name;
    std::string placeholder;  // Empty: a switch.
    std::string help;
    std::string shown_default;
    bool required = false;
    bool repeats = false;
    bool given = false;
    Setter set;
  };
  struct Place {
    std::string name;
    std::string help;
    std::string* value;
  };

  void Add(absl::string_view name, absl::string_view placeholder,
           absl::string_view help, absl::string_view shown_default, Setter set);
  void RequireLast() { flags_.back().required = true; }
  Spec* Find(absl::string_view name);
  absl::Status Take(absl::string_view name,
                    std::optional<absl::string_view> inline_value,
                    absl::Span<const std::string> args, size_t* next);
  absl::Status Set(Spec& spec, absl::string_view value);
  absl::Status CheckComplete(size_t places_filled) const;

  std::string verb_;
  std::string summary_;
  std::vector<Spec> flags_;
  std::vector<Place> places_;
};

// What one binary can be asked for.
struct Verb {
  std::string name;
  std::string summary;
  int (*run)(const std::vector<std::string>& args);  // Without the verb itself.
};

// Runs the verb that argv[1] names and returns its exit code. `--help` lists
// the verbs and returns 0; no verb or an unknown one returns kExitWrongCall.
int RunVerb(int argc, char** argv, absl::Span<const Verb> verbs);

// Prints "cohort <verb>: <message>" as one line on stderr; returns
// kExitWrongCall. For flags whose value only the verb can judge.
int WrongCall(absl::string_view verb, absl::string_view message);

// Prints an error as one line, "cohort: <message>", on stderr. Returns 0 or
// kExitFailed.
int ExitCode(const absl::Status& status);

// The candidate that takes the fewest changed letters to reach from `name`;
// empty when there are no candidates.
std::string NearestName(absl::string_view name,
                        absl::Span<const std::string> candidates);

}  // namespace cohort
