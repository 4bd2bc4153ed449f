#include "rewards/lean_reply.h"

#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "rewards/grader.h"

namespace cohort {
namespace {

using Json = nlohmann::json;

// Each ends a goal without proving it, or changes what proving means.
constexpr absl::string_view kBanned[] = {"sorry",
                                         "admit",
                                         "axiom",
                                         "native_decide",
                                         "unsafe",
                                         "apply?",
                                         "exact?",
                                         "rw?",
                                         "#eval",
                                         "#exit",
                                         "implemented_by",
                                         "extern",
                                         "opaque",
                                         "run_cmd",
                                         "run_tac",
                                         "elab",
                                         "macro",
                                         "syntax",
                                         "notation",
                                         "set_option",
                                         "import",
                                         "initialize",
                                         "instance",
                                         "local",
                                         "attribute",
                                         "csimp",
                                         "reduceBool",
                                         "ofReduceBool",
                                         "debug.skipKernelTC"};

constexpr absl::string_view kSoundAxioms[] = {"propext", "Classical.choice",
                                              "Quot.sound"};

bool IsWordByte(char byte) {
  return absl::ascii_isalnum(byte) || byte == '_' || byte == '\'' ||
         byte == '.' || byte == '?' || byte == '#' ||
         (static_cast<unsigned char>(byte) & 0x80) != 0;
}

std::vector<absl::string_view> Words(absl::string_view text) {
  std::vector<absl::string_view> words;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && IsWordByte(text[i])) continue;
    if (i > begin) words.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  return words;
}

// `text` with every run of white space as one blank.
std::string Collapsed(std::string_view text) {
  std::string collapsed;
  for (const absl::string_view word :
       absl::StrSplit(absl::string_view(text.data(), text.size()),
                      absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty())) {
    absl::StrAppend(&collapsed, collapsed.empty() ? "" : " ", word);
  }
  return collapsed;
}

// Comments may say anything, so what is checked is what is left without them.
std::string WithoutComments(std::string_view text) {
  std::string out;
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string_view two = text.substr(i, 2);
    if (two == "/-") {
      ++depth;
      ++i;
    } else if (two == "-/" && depth > 0) {
      --depth;
      ++i;
      out.push_back(' ');
    } else if (depth == 0 && two == "--") {
      i = text.find('\n', i);
      if (i == std::string_view::npos) break;
      out.push_back('\n');
    } else if (depth == 0) {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string TextOf(const Json& message, const char* key) {
  const auto found = message.find(key);
  return found != message.end() && found->is_string()
             ? found->get<std::string>()
             : std::string();
}

// The REPL's answer to "#print axioms": nothing where it is sound.
std::string AxiomFlaw(const std::string& text) {
  if (absl::StrContains(text, "does not depend on any axioms")) return "";
  const size_t open = text.find('[');
  const size_t close = text.find(']');
  if (open == std::string::npos || close == std::string::npos) {
    return "the axioms are not listed";
  }
  for (const absl::string_view word :
       absl::StrSplit(text.substr(open + 1, close - open - 1),
                      absl::ByAnyChar(", \n"), absl::SkipEmpty())) {
    bool sound = false;
    for (const absl::string_view each : kSoundAxioms) sound |= each == word;
    if (!sound) return absl::StrCat("it uses the axiom ", word);
  }
  return "";
}

absl::Status OwnTrouble(const Json& reply) {
  const std::string text = TextOf(reply, "system_messages");
  for (const char* trouble :
       {"bad_alloc", "Cannot allocate memory", "failed to create thread"}) {
    if (absl::StrContains(text, trouble)) {
      return absl::UnavailableError(absl::StrCat("the REPL says: ", trouble));
    }
  }
  return absl::OkStatus();
}

LeanReply Incomplete(bool pass, std::string reason) {
  return {.pass = pass, .complete = false, .reason = std::move(reason)};
}

}  // namespace

absl::StatusOr<LeanTask> MakeLeanTask(std::string header,
                                      std::string statement) {
  const std::vector<absl::string_view> words = Words(statement);
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "theorem" || words[i] == "lemma") {
      const std::string name(words[i + 1]);
      return LeanTask{.header = std::move(header),
                      .statement = std::move(statement),
                      .name = name};
    }
  }
  return absl::InvalidArgumentError("the statement names no theorem");
}

std::string LeanProofFlaw(const LeanTask& task, std::string_view proof) {
  const std::string plain = WithoutComments(proof);
  // What the statement itself says is not the proof's doing.
  const std::string wanted = Collapsed(WithoutComments(task.statement));
  const std::string given = Collapsed(plain);
  const size_t at = given.find(wanted);
  if (at == std::string::npos) return "the statement is not there unchanged";
  const std::string rest =
      absl::StrCat(given.substr(0, at), " ", given.substr(at + wanted.size()));
  const std::set<absl::string_view> banned(std::begin(kBanned),
                                           std::end(kBanned));
  for (const absl::string_view word : Words(rest)) {
    if (banned.contains(word)) return absl::StrCat("the word ", word);
    if (word == task.name) return "another mention of the theorem's name";
  }
  return "";
}

std::string LeanRequest(const LeanTask& task, std::string_view proof) {
  const Json request = {
      {"cmd", absl::StrCat(task.header, "\n", std::string(proof),
                           "\n\n#print axioms ", task.name, "\n")},
      {"allTactics", false},
      {"ast", false},
      {"tactics", false},
      {"premises", false}};
  return request.dump(-1, ' ', false, Json::error_handler_t::replace) +
         "\r\n\r\n";
}

absl::StatusOr<LeanReply> ReadLeanReply(const LeanTask& task,
                                        std::string_view reply) {
  const Json json = Json::parse(reply, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::InvalidArgumentError("not a JSON object");
  if (const absl::Status status = OwnTrouble(json); !status.ok()) {
    return status;
  }
  const Json messages = json.value("messages", Json::array());
  if (!messages.is_array()) {
    return absl::InvalidArgumentError("messages are no list");
  }
  std::string axioms;
  std::string open;
  for (const Json& message : messages) {
    const std::string severity = TextOf(message, "severity");
    const std::string data = TextOf(message, "data");
    if (severity == "error") return Incomplete(false, data.substr(0, 200));
    if (severity == "warning" &&
        (absl::StrContains(data, "declaration uses 'sorry'") ||
         absl::StrContains(data, "failed"))) {
      open = data.substr(0, 200);
    }
    if (absl::StrContains(data, absl::StrCat("'", task.name, "' depends on")) ||
        absl::StrContains(data,
                          absl::StrCat("'", task.name, "' does not depend"))) {
      axioms = data;
    }
  }
  const auto sorries = json.find("sorries");
  if (sorries != json.end() && !sorries->empty()) {
    return Incomplete(true, "a goal is left open");
  }
  if (!open.empty()) return Incomplete(true, open);
  if (axioms.empty()) return Incomplete(true, "the axioms are not listed");
  if (std::string flaw = AxiomFlaw(axioms); !flaw.empty()) {
    return Incomplete(true, std::move(flaw));
  }
  return LeanReply{.pass = true, .complete = true, .reason = ""};
}

}  // namespace cohort
