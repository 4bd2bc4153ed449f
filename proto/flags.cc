#include "proto/flags.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "proto/status.h"

namespace cohort {
namespace {

absl::Status Expected(absl::string_view what, absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("expected ", what, ", got '", text, "'"));
}

absl::Status ParseText(absl::string_view text, std::string* value) {
  *value = std::string(text);
  return absl::OkStatus();
}

template <typename T>
absl::Status ParseInteger(absl::string_view text, T* value) {
  if (absl::SimpleAtoi(text, value)) return absl::OkStatus();
  return Expected("a whole number", text);
}

absl::Status ParseDouble(absl::string_view text, double* value) {
  double parsed = 0;
  if (!absl::SimpleAtod(text, &parsed) || !std::isfinite(parsed)) {
    return Expected("a number", text);
  }
  *value = parsed;
  return absl::OkStatus();
}

absl::Status ParseBool(absl::string_view text, bool* value) {
  if (text != "true" && text != "false") {
    return Expected("true or false", text);
  }
  *value = text == "true";
  return absl::OkStatus();
}

absl::Status ParseList(absl::string_view text, std::vector<int>* values) {
  std::vector<int> parsed;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    int value = 0;
    if (!absl::SimpleAtoi(part, &value)) {
      return Expected("whole numbers with commas", text);
    }
    parsed.push_back(value);
  }
  *values = std::move(parsed);
  return absl::OkStatus();
}

// Letters to insert, delete or replace (Levenshtein).
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] != b[j] ? 1 : 0);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

// One message is one line, whatever a file name or a peer put into it.
std::string OneLine(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\n", " "}, {"\r", " "}});
}

}  // namespace

FlagParser::FlagParser(absl::string_view verb, absl::string_view summary)
    : verb_(verb), summary_(summary) {}

void FlagParser::Add(absl::string_view name, absl::string_view placeholder,
                     absl::string_view help, absl::string_view shown_default,
                     Setter set) {
  flags_.push_back({.name = std::string(name),
                    .placeholder = std::string(placeholder),
                    .help = std::string(help),
                    .shown_default = std::string(shown_default),
                    .set = std::move(set)});
}

void FlagParser::Flag(absl::string_view name, std::string* value,
                      absl::string_view placeholder, absl::string_view help) {
  Add(name, placeholder, help, *value,
      [value](absl::string_view text) { return ParseText(text, value); });
}

void FlagParser::Flag(absl::string_view name, int* value,
                      absl::string_view placeholder, absl::string_view help) {
  Add(name, placeholder, help, absl::StrCat(*value),
      [value](absl::string_view text) { return ParseInteger(text, value); });
}

void FlagParser::Flag(absl::string_view name, int64_t* value,
                      absl::string_view placeholder, absl::string_view help) {
  Add(name, placeholder, help, absl::StrCat(*value),
      [value](absl::string_view text) { return ParseInteger(text, value); });
}

void FlagParser::Flag(absl::string_view name, uint64_t* value,
                      absl::string_view placeholder, absl::string_view help) {
  Add(name, placeholder, help, absl::StrCat(*value),
      [value](absl::string_view text) { return ParseInteger(text, value); });
}

void FlagParser::Flag(absl::string_view name, double* value,
                      absl::string_view placeholder, absl::string_view help) {
  Add(name, placeholder, help, absl::StrCat(*value),
      [value](absl::string_view text) { return ParseDouble(text, value); });
}

void FlagParser::Flag(absl::string_view name, std::vector<std::string>* values,
                      absl::string_view placeholder, absl::string_view help) {
  Add(name, placeholder, help, absl::StrJoin(*values, " "),
      [values](absl::string_view text) {
        values->emplace_back(text);
        return absl::OkStatus();
      });
  flags_.back().repeats = true;
}

void FlagParser::Flag(absl::string_view name, std::vector<int>* values,
                      absl::string_view placeholder, absl::string_view help) {
  Add(name, placeholder, help, absl::StrJoin(*values, ","),
      [values](absl::string_view text) { return ParseList(text, values); });
}

void FlagParser::Switch(absl::string_view name, bool* value,
                        absl::string_view help) {
  Add(name, "", help, "",
      [value](absl::string_view text) { return ParseBool(text, value); });
}

void FlagParser::Positional(absl::string_view name, std::string* value,
                            absl::string_view help) {
  places_.push_back({std::string(name), std::string(help), value});
}

FlagParser::Spec* FlagParser::Find(absl::string_view name) {
  for (Spec& spec : flags_) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

absl::Status FlagParser::Set(Spec& spec, absl::string_view value) {
  if (spec.given && !spec.repeats) {
    return absl::InvalidArgumentError(
        absl::StrCat("flag --", spec.name, " is given twice"));
  }
  spec.given = true;
  if (absl::Status status = spec.set(value); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("flag --", spec.name, ": ", status.message()));
  }
  return absl::OkStatus();
}

absl::Status FlagParser::Take(absl::string_view name,
                              std::optional<absl::string_view> inline_value,
                              absl::Span<const std::string> args,
                              size_t* next) {
  Spec* const spec = Find(name);
  if (spec == nullptr) {
    std::vector<std::string> known = {"help"};
    for (const Spec& flag : flags_) known.push_back(flag.name);
    return absl::InvalidArgumentError(absl::StrCat(
        "unknown flag --", name, "; nearest is --", NearestName(name, known)));
  }
  if (inline_value.has_value()) return Set(*spec, *inline_value);
  if (spec->placeholder.empty()) return Set(*spec, "true");
  if (*next >= args.size() || absl::StartsWith(args[*next], "--")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "flag --", name, " needs a value (", spec->placeholder, ")"));
  }
  return Set(*spec, args[(*next)++]);
}

absl::Status FlagParser::CheckComplete(size_t places_filled) const {
  if (places_filled < places_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("missing ", places_[places_filled].name));
  }
  for (const Spec& spec : flags_) {
    if (spec.required && !spec.given) {
      return absl::InvalidArgumentError(
          absl::StrCat("missing --", spec.name, " ", spec.placeholder));
    }
  }
  return absl::OkStatus();
}

absl::Status FlagParser::TryParse(absl::Span<const std::string> args) {
  size_t places_filled = 0;
  bool only_places = false;
  for (size_t i = 0; i < args.size();) {
    const std::string& arg = args[i++];
    if (!only_places && arg == "--") {
      only_places = true;
    } else if (!only_places && (arg == "--help" || arg == "-h")) {
      return absl::CancelledError("help");
    } else if (!only_places && absl::StartsWith(arg, "--")) {
      const std::pair<absl::string_view, absl::string_view> parts =
          absl::StrSplit(absl::string_view(arg).substr(2),
                         absl::MaxSplits('=', 1));
      const bool has_value = arg.find('=') != std::string::npos;
      COHORT_RETURN_IF_ERROR(Take(
          parts.first, has_value ? std::optional(parts.second) : std::nullopt,
          args, &i));
    } else if (!only_places && arg.size() > 1 && arg[0] == '-') {
      return absl::InvalidArgumentError(
          absl::StrCat("unknown flag ", arg, "; flags begin with --"));
    } else if (places_filled == places_.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("unexpected argument '", arg, "'"));
    } else {
      *places_[places_filled++].value = arg;
    }
  }
  return CheckComplete(places_filled);
}

std::optional<int> FlagParser::Parse(absl::Span<const std::string> args) {
  const absl::Status status = TryParse(args);
  if (status.ok()) return std::nullopt;
  if (absl::IsCancelled(status)) {
    std::fputs(Usage().c_str(), stdout);
    return 0;
  }
  return WrongCall(verb_, status.message());
}

std::string FlagParser::Usage() const {
  std::string text = absl::StrCat("usage: cohort ", verb_);
  for (const Place& place : places_) absl::StrAppend(&text, " ", place.name);
  for (const Spec& spec : flags_) {
    if (spec.required) {
      absl::StrAppend(&text, " --", spec.name, " ", spec.placeholder);
    }
  }
  absl::StrAppend(&text, flags_.empty() ? "" : " [flags]", "\n\n", summary_,
                  "\n\n");
  for (const Place& place : places_) {
    absl::StrAppend(&text, "  ", place.name, "\n      ", place.help, "\n");
  }
  for (const Spec& spec : flags_) {
    absl::StrAppend(&text, "  --", spec.name);
    if (!spec.placeholder.empty()) {
      absl::StrAppend(&text, " ", spec.placeholder);
    }
    absl::StrAppend(&text, "\n      ", spec.help);
    if (spec.repeats) absl::StrAppend(&text, " (may be repeated)");
    if (!spec.shown_default.empty() && !spec.required) {
      absl::StrAppend(&text, " (default ", spec.shown_default, ")");
    }
    absl::StrAppend(&text, "\n");
  }
  absl::StrAppend(&text, "  --help\n      prints this text\n");
  return text;
}

int RunVerb(int argc, char** argv, absl::Span<const Verb> verbs) {
  std::vector<std::string> names;
  std::string listing;
  for (const Verb& verb : verbs) {
    names.push_back(verb.name);
    absl::StrAppend(&listing, "  ", verb.name, "\n      ", verb.summary, "\n");
  }
  const std::string name = argc > 1 ? argv[1] : "";
  if (name == "--help" || name == "-h") {
    std::printf("usage: cohort VERB [--help] ...\n\n%s", listing.c_str());
    return 0;
  }
  for (const Verb& verb : verbs) {
    if (verb.name == name) {
      return verb.run(std::vector<std::string>(argv + 2, argv + argc));
    }
  }
  if (name.empty()) {
    std::fprintf(stderr, "cohort: missing verb; one of %s\n",
                 absl::StrJoin(names, ", ").c_str());
  } else {
    std::fprintf(stderr, "cohort: unknown verb '%s'; nearest is '%s'\n",
                 OneLine(name).c_str(), NearestName(name, names).c_str());
  }
  return kExitWrongCall;
}

int WrongCall(absl::string_view verb, absl::string_view message) {
  std::fputs(absl::StrCat("cohort ", verb, ": ", OneLine(message),
                          " (see cohort ", verb, " --help)\n")
                 .c_str(),
             stderr);
  return kExitWrongCall;
}

int ExitCode(const absl::Status& status) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "cohort: %s\n", OneLine(status.message()).c_str());
  return kExitFailed;
}

std::string NearestName(absl::string_view name,
                        absl::Span<const std::string> candidates) {
  const auto nearest =
      std::min_element(candidates.begin(), candidates.end(),
                       [name](const std::string& a, const std::string& b) {
                         return EditDistance(name, a) < EditDistance(name, b);
                       });
  return nearest == candidates.end() ? "" : *nearest;
}

}  // namespace cohort
