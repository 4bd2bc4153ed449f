#include "proto/rows.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "proto/descriptor.h"
#include "proto/parquet.h"
#include "proto/status.h"

namespace cohort {
namespace {

using Json = nlohmann::json;

// Below this every whole number is exact in the double that JSON readers keep.
constexpr double kExactWholes = 9007199254740992.0;  // 2^53

constexpr std::string_view kParquetEnding = ".parquet";

constexpr std::array<std::pair<Verdict, std::string_view>, 12> kVerdicts = {{
    {VERDICT_UNSPECIFIED, "unspecified"},
    {VERDICT_CORRECT, "correct"},
    {VERDICT_WRONG, "wrong"},
    {VERDICT_FORMAT_ERROR, "format_error"},
    {VERDICT_UNDECIDED, "undecided"},
    {VERDICT_TIMEOUT, "timeout"},
    {VERDICT_RESOURCE_LIMIT, "resource_limit"},
    {VERDICT_RUNTIME_ERROR, "runtime_error"},
    {VERDICT_COMPILE_ERROR, "compile_error"},
    {VERDICT_SECURITY_VIOLATION, "security_violation"},
    {VERDICT_GRADER_ERROR, "grader_error"},
    {VERDICT_INFRA_ERROR, "infra_error"},
}};

absl::Status FileError(int error, absl::string_view doing,
                       absl::string_view path) {
  return absl::ErrnoToStatus(error, absl::StrCat("cannot ", doing, " ", path));
}

// Sets errno and returns false when not all could be written.
bool WriteAll(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// For devices and pipes, which no file may take the place of.
absl::Status WriteInPlace(const std::string& path, std::string_view content) {
  Descriptor fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.get() < 0 || !WriteAll(fd.get(), content) || !fd.Close()) {
    return FileError(errno, "write", path);
  }
  return absl::OkStatus();
}

absl::Status SyncFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : path.substr(0, slash);
  const Descriptor fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || fsync(fd.get()) != 0) {
    return FileError(errno, "sync the folder of", path);
  }
  return absl::OkStatus();
}

// What an error says of where it is: lines of a text, rows of a table.
std::string PlaceIn(const std::string& path, int64_t number) {
  return path.ends_with(kParquetEnding) ? absl::StrCat(path, ": row ", number)
                                        : absl::StrCat(path, ":", number);
}

absl::StatusOr<Json> ParseRow(std::string_view line) {
  Json row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (row.is_discarded()) return absl::InvalidArgumentError("not JSON");
  if (!row.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a JSON object but ", row.type_name()));
  }
  return row;
}

// One row and the names of its fields. A missing field and a null one are the
// same, except that a field the config maps by name must be there.
class Row {
 public:
  Row(const Json& json, const PromptFields& fields)
      : json_(json), fields_(fields) {}

  // Null when the field is missing.
  absl::StatusOr<const Json*> Find(std::string PromptFields::*member) const {
    static const PromptFields* const defaults = new PromptFields();
    const std::string& name = fields_.*member;
    const auto found = json_.find(name);
    if (found != json_.end() && !found->is_null()) return &*found;
    if (name != defaults->*member) {
      return absl::InvalidArgumentError(
          absl::StrCat("no field '", name, "', which holds ", defaults->*member,
                       " by the config"));
    }
    return nullptr;
  }

  // Empty when the field is missing.
  absl::StatusOr<std::string> Text(std::string PromptFields::*member) const {
    COHORT_ASSIGN_OR_RETURN(const Json* const value, Find(member));
    if (value == nullptr) return std::string();
    if (!value->is_string()) return WrongType(member, "text", *value);
    return value->get<std::string>();
  }

  // Like Text, but takes numbers too, as they are written.
  absl::StatusOr<std::string> TextOrNumber(
      std::string PromptFields::*member) const {
    COHORT_ASSIGN_OR_RETURN(const Json* const value, Find(member));
    if (value == nullptr || value->is_string()) return Text(member);
    if (!value->is_number()) return WrongType(member, "text or number", *value);
    if (value->is_number_float() &&
        std::abs(value->get<double>()) >= kExactWholes) {
      return absl::InvalidArgumentError(
          absl::StrCat("field '", fields_.*member,
                       "' is too large to be read exactly; write it as text"));
    }
    return value->dump();
  }

  absl::StatusOr<int64_t> Whole(std::string PromptFields::*member,
                                const Json& value) const {
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() ||
                       value.get<uint64_t>() <= uint64_t{INT64_MAX});
    if (!fits) return WrongType(member, "whole number", value);
    return value.get<int64_t>();
  }

  absl::Status WrongType(std::string PromptFields::*member,
                         absl::string_view expected, const Json& value) const {
    return absl::InvalidArgumentError(absl::StrCat("field '", fields_.*member,
                                                   "' must be ", expected,
                                                   ", is ", value.type_name()));
  }

 private:
  const Json& json_;
  const PromptFields& fields_;
};

absl::Status FillMessages(const Row& row, const Json& messages,
                          Prompt* prompt) {
  if (!messages.is_array() || messages.empty()) {
    return row.WrongType(&PromptFields::messages,
                         "a list of {role, ...} that is not empty", messages);
  }
  for (const Json& message : messages) {
    if (!message.is_object() || !message.contains("role") ||
        !message["role"].is_string()) {
      return absl::InvalidArgumentError(
          absl::StrCat("message ", prompt->messages_size(), " has no role"));
    }
    // Tool calls come without content, and content may be a list of parts: what
    // a template makes of them is its business.
    Message* const filled = prompt->add_messages();
    filled->set_role(message["role"].get<std::string>());
    if (message.contains("content") && message["content"].is_string()) {
      filled->set_content(message["content"].get<std::string>());
    }
  }
  return absl::OkStatus();
}

absl::Status FillTextOrMessages(const Row& row, Prompt* prompt) {
  COHORT_ASSIGN_OR_RETURN(std::string text, row.Text(&PromptFields::prompt));
  COHORT_ASSIGN_OR_RETURN(const Json* const messages,
                          row.Find(&PromptFields::messages));
  if (text.empty() == (messages == nullptr)) {
    return absl::InvalidArgumentError(
        text.empty() ? "no prompt: neither prompt nor messages"
                     : "both prompt and messages");
  }
  prompt->set_text(std::move(text));
  if (messages == nullptr) return absl::OkStatus();
  return FillMessages(row, *messages, prompt);
}

// GSM8K keeps the solution before the answer: "... #### 42".
std::string FinalAnswer(std::string answer) {
  const size_t mark = answer.rfind("####");
  if (mark == std::string::npos) return answer;
  return std::string(absl::StripAsciiWhitespace(answer.substr(mark + 4)));
}

absl::Status FillTruth(const Row& row, const std::string& default_verifier,
                       Prompt* prompt) {
  COHORT_ASSIGN_OR_RETURN(std::string verifier,
                          row.Text(&PromptFields::verifier));
  if (verifier.empty()) verifier = default_verifier;
  if (verifier.empty()) return absl::InvalidArgumentError("no verifier");
  prompt->set_verifier(std::move(verifier));
  COHORT_ASSIGN_OR_RETURN(std::string answer,
                          row.TextOrNumber(&PromptFields::answer));
  prompt->set_answer(FinalAnswer(std::move(answer)));

  COHORT_ASSIGN_OR_RETURN(const Json* const numbers,
                          row.Find(&PromptFields::numbers));
  if (numbers != nullptr && !numbers->is_array()) {
    return row.WrongType(&PromptFields::numbers, "a list", *numbers);
  }
  for (size_t i = 0; numbers != nullptr && i < numbers->size(); ++i) {
    COHORT_ASSIGN_OR_RETURN(const int64_t number,
                            row.Whole(&PromptFields::numbers, (*numbers)[i]));
    prompt->add_numbers(number);
  }
  COHORT_ASSIGN_OR_RETURN(const Json* const target,
                          row.Find(&PromptFields::target));
  if (target != nullptr) {
    COHORT_ASSIGN_OR_RETURN(const int64_t number,
                            row.Whole(&PromptFields::target, *target));
    prompt->set_target(number);
  }
  return absl::OkStatus();
}

absl::StatusOr<Prompt> ParsePrompt(std::string_view line,
                                   const PromptFields& fields,
                                   const std::string& verifier) {
  COHORT_ASSIGN_OR_RETURN(const Json json, ParseRow(line));
  const Row row(json, fields);
  Prompt prompt;
  COHORT_ASSIGN_OR_RETURN(*prompt.mutable_id(),
                          row.TextOrNumber(&PromptFields::id));
  COHORT_RETURN_IF_ERROR(FillTextOrMessages(row, &prompt));
  COHORT_RETURN_IF_ERROR(FillTruth(row, verifier, &prompt));
  COHORT_ASSIGN_OR_RETURN(*prompt.mutable_source(),
                          row.Text(&PromptFields::source));
  if (prompt.verifier() == "math") {
    COHORT_ASSIGN_OR_RETURN(*prompt.mutable_math_policy(),
                            row.Text(&PromptFields::policy));
  }
  prompt.set_row_json(std::string(line));
  return prompt;
}

}  // namespace

absl::StatusOr<PromptFields> MapFields(
    const std::map<std::string, std::string>& names) {
  PromptFields fields;
  const std::map<std::string, std::string*> ours = {
      {"id", &fields.id},
      {"prompt", &fields.prompt},
      {"messages", &fields.messages},
      {"verifier", &fields.verifier},
      {"answer", &fields.answer},
      {"numbers", &fields.numbers},
      {"target", &fields.target},
      {"source", &fields.source},
      {"policy", &fields.policy}};
  for (const auto& [name, theirs] : names) {
    const auto field = ours.find(name);
    if (field == ours.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("prompts have no field '", name, "'"));
    }
    *field->second = theirs;
  }
  return fields;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return FileError(errno, "open", path);
  std::string content;
  struct stat about = {};
  if (fstat(fd.get(), &about) == 0 && S_ISREG(about.st_mode)) {
    content.reserve(static_cast<size_t>(about.st_size) + 1);
  }
  std::array<char, 1 << 16> buffer;
  while (true) {
    const ssize_t count = read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError(errno, "read", path);
    if (count == 0) return content;
    content.append(buffer.data(), static_cast<size_t>(count));
  }
}

absl::Status WriteFileAtomically(const std::string& path,
                                 std::string_view content) {
  const std::string temporary = absl::StrCat(path, ".tmp");
  Descriptor fd(
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (fd.get() < 0) return FileError(errno, "write", path);
  if (!WriteAll(fd.get(), content) || !fd.Close()) {
    const int error = errno;
    unlink(temporary.c_str());
    return FileError(error, "write", path);
  }
  return PublishFile(temporary, path);
}

absl::Status PublishFile(const std::string& temporary,
                         const std::string& path) {
  bool published = false;
  {
    const Descriptor fd(open(temporary.c_str(), O_RDONLY | O_CLOEXEC));
    published = fd.get() >= 0 && fsync(fd.get()) == 0 &&
                rename(temporary.c_str(), path.c_str()) == 0;
  }
  if (!published) {
    const int error = errno;
    unlink(temporary.c_str());
    return FileError(error, "write", path);
  }
  return SyncFolderOf(path);
}

absl::StatusOr<std::string> ReadInput(const std::string& path) {
  if (path != "-") return ReadFile(path);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

absl::Status WriteOutput(const std::string& path, std::string_view content) {
  if (path != "-") {
    std::error_code unknown;
    const auto kind = std::filesystem::status(path, unknown).type();
    if (kind == std::filesystem::file_type::character ||
        kind == std::filesystem::file_type::fifo ||
        kind == std::filesystem::file_type::socket) {
      return WriteInPlace(path, content);
    }
    // What a link names is replaced, never the link: it may be /dev/stdout.
    if (std::filesystem::is_symlink(path, unknown) &&
        kind == std::filesystem::file_type::regular) {
      return WriteFileAtomically(std::filesystem::canonical(path, unknown),
                                 content);
    }
    return WriteFileAtomically(path, content);
  }
  std::cout << content << std::flush;
  if (!std::cout) return absl::DataLossError("cannot write standard output");
  return absl::OkStatus();
}

absl::Status ForEachRow(
    const std::string& path,
    const std::function<absl::Status(int64_t number, std::string_view line)>&
        use) {
  const auto use_row = [&](int64_t number, std::string_view line) {
    const absl::Status status = use(number, line);
    if (status.ok()) return status;
    return absl::Status(status.code(), absl::StrCat(PlaceIn(path, number), ": ",
                                                    status.message()));
  };
  if (path.ends_with(kParquetEnding)) {
    return ForEachParquetRow(path, use_row);
  }
  COHORT_ASSIGN_OR_RETURN(const std::string content, ReadInput(path));
  std::string_view rest = content;
  if (absl::StartsWith(content, "\xef\xbb\xbf")) rest.remove_prefix(3);
  for (int64_t number = 1; !rest.empty(); ++number) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    COHORT_RETURN_IF_ERROR(use_row(number, line));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Prompt>> ReadPrompts(const std::string& path,
                                                const PromptFields& fields,
                                                const std::string& verifier) {
  std::vector<Prompt> prompts;
  std::unordered_map<std::string, int64_t> line_of_id;
  COHORT_RETURN_IF_ERROR(
      ForEachRow(path, [&](int64_t number, std::string_view line) {
        absl::StatusOr<Prompt> prompt = ParsePrompt(line, fields, verifier);
        if (!prompt.ok()) return prompt.status();
        if (prompt->id().empty())
          prompt->set_id(absl::StrCat(path, ":", number));
        const auto [first, is_new] = line_of_id.emplace(prompt->id(), number);
        if (!is_new) {
          return absl::InvalidArgumentError(
              absl::StrCat("id '", prompt->id(), "' stands in ",
                           path.ends_with(kParquetEnding) ? "row " : "line ",
                           first->second, " too"));
        }
        prompts.push_back(*std::move(prompt));
        return absl::OkStatus();
      }));
  return prompts;
}

absl::StatusOr<std::vector<std::string>> ReadTexts(const std::string& path,
                                                   const std::string& field) {
  const bool plain = absl::EndsWith(path, ".txt");
  std::vector<std::string> texts;
  COHORT_RETURN_IF_ERROR(
      ForEachRow(path, [&](int64_t, std::string_view line) -> absl::Status {
        if (plain) {
          texts.emplace_back(line);
          return absl::OkStatus();
        }
        COHORT_ASSIGN_OR_RETURN(const Json row, ParseRow(line));
        const auto text = row.find(field);
        if (text == row.end() || !text->is_string()) {
          return absl::InvalidArgumentError(
              absl::StrCat("no text in field '", field, "'"));
        }
        texts.push_back(text->get<std::string>());
        return absl::OkStatus();
      }));
  return texts;
}

std::string_view VerdictName(Verdict verdict) {
  for (const auto& [value, name] : kVerdicts) {
    if (value == verdict) return name;
  }
  return kVerdicts[0].second;
}

Verdict ParseVerdict(std::string_view name) {
  for (const auto& [value, known] : kVerdicts) {
    if (known == name) return value;
  }
  return VERDICT_UNSPECIFIED;
}

}  // namespace cohort
