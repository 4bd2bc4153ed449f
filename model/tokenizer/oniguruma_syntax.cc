#include "model/tokenizer/oniguruma_syntax.h"

#include <cctype>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/tokenizer/character_class.h"
#include "model/tokenizer/unicode.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr int kDeepestClass = 16;

bool IsHex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

class Translator {
 public:
  Translator(std::string_view pattern, bool with_additions)
      : in_(pattern), with_additions_(with_additions) {}

  absl::StatusOr<std::string> Translate() {
    while (!AtEnd()) COHORT_RETURN_IF_ERROR(Piece());
    return std::move(out_);
  }

 private:
  bool AtEnd() const { return at_ >= in_.size(); }
  bool Sees(std::string_view text) const {
    return in_.substr(at_).starts_with(text);
  }
  bool Take(std::string_view text) {
    if (!Sees(text)) return false;
    at_ += text.size();
    return true;
  }

  absl::Status Unknown(std::string_view construct) const {
    return absl::UnimplementedError(absl::StrCat("pattern \"", std::string(in_),
                                                 "\": ", std::string(construct),
                                                 " is not supported"));
  }
  absl::Status Broken(std::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(
        "pattern \"", std::string(in_), "\": ", std::string(what)));
  }

  // Writes something that a quantifier can follow.
  void Atom(std::string_view text) {
    atom_ = out_.size();
    out_ += text;
  }

  absl::Status Piece() {
    switch (in_[at_]) {
      case '\\':
        return Escape();
      case '[': {
        ++at_;
        COHORT_ASSIGN_OR_RETURN(const CharacterClass set, Class(0));
        Atom(set.Pattern());
        return absl::OkStatus();
      }
      case '(':
        return Open();
      case ')':
        atom_ = open_.empty() ? out_.size() : open_.back();
        if (!open_.empty()) open_.pop_back();
        out_ += in_[at_++];
        return absl::OkStatus();
      case '{':
        return Interval();
      case '*':
      case '+':
      case '?':
      case '|':
      case '^':
      case '$':
        out_ += in_[at_++];
        return absl::OkStatus();
      default: {
        const size_t begin = at_;
        NextCharacter(in_, &at_);
        Atom(in_.substr(begin, at_ - begin));
        return absl::OkStatus();
      }
    }
  }

  // "(" and what says which kind of group it is.
  absl::Status Open() {
    for (const std::string_view kind :
         {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!", "(?#"}) {
      if (!Take(kind)) continue;
      if (kind == "(?#") {
        const size_t end = in_.find(')', at_);
        if (end == std::string_view::npos) return Broken("open comment");
        at_ = end + 1;
        return absl::OkStatus();
      }
      open_.push_back(out_.size());
      out_ += kind;
      return absl::OkStatus();
    }
    if (Sees("(?<")) {
      const size_t end = in_.find('>', at_);
      if (end == std::string_view::npos) return Broken("open group name");
      open_.push_back(out_.size());
      out_ += in_.substr(at_, end + 1 - at_);
      at_ = end + 1;
      return absl::OkStatus();
    }
    if (Take("(?")) return Options();
    open_.push_back(out_.size());
    out_ += in_[at_++];
    return absl::OkStatus();
  }

  // "(?i)" and "(?i-m:": in Oniguruma m lets the dot match line ends.
  absl::Status Options() {
    const size_t begin = out_.size();
    std::string options = "(?";
    while (!AtEnd() && in_[at_] != ':' && in_[at_] != ')') {
      const char option = in_[at_++];
      if (option == 'm') {
        options += 's';
      } else if (option == 'i' || option == 'x' || option == '-') {
        options += option;
      } else {
        return Unknown(absl::StrCat("(?", std::string(1, option)));
      }
    }
    if (AtEnd()) return Broken("open group");
    options += in_[at_];
    if (in_[at_++] == ':') open_.push_back(begin);
    out_ += options;
    return absl::OkStatus();
  }

  // "{n,m}": behind it + and, where there is but one number, ? repeat again.
  absl::Status Interval() {
    size_t end = at_ + 1;
    while (end < in_.size() && (IsDigit(in_[end]) || in_[end] == ',')) ++end;
    const std::string_view body = in_.substr(at_ + 1, end - at_ - 1);
    const size_t comma = body.find(',');
    const bool valid = end < in_.size() && in_[end] == '}' && body != "," &&
                       !body.empty() && comma == body.rfind(',');
    if (!valid) {
      Atom("\\{");
      ++at_;
      return absl::OkStatus();
    }
    at_ = end + 1;
    out_ += body[0] == ',' ? absl::StrCat("{0", std::string(body), "}")
                           : absl::StrCat("{", std::string(body), "}");
    if (Sees("+") || (Sees("?") && comma == std::string_view::npos)) {
      out_.insert(atom_, "(?:");
      out_ += ')';
    }
    return absl::OkStatus();
  }

  absl::Status Escape() {
    if (at_ + 1 >= in_.size()) return Broken("ends with \\");
    const char c = in_[at_ + 1];
    const std::string word = Named("w").Pattern();
    const std::string no_word = absl::StrCat("(?!", word, ")");
    switch (c) {
      case 'b':
        at_ += 2;
        out_ += absl::StrCat("(?:(?<=", word, ")", no_word, "|(?<!", word,
                             ")(?=", word, "))");
        return absl::OkStatus();
      case 'B':
        at_ += 2;
        out_ += absl::StrCat("(?:(?<=", word, ")(?=", word, ")|(?<!", word, ")",
                             no_word, ")");
        return absl::OkStatus();
      case 'A':
      case 'z':
      case 'Z':
      case 'G':
      case 'K':
      case 'R':
      case 'X':
      case 'N':
      case 'k':
      case 'g':
        Atom(in_.substr(at_, 2));
        at_ += 2;
        return absl::OkStatus();
      default:
        break;
    }
    if (c >= '1' && c <= '9') {  // A group's text.
      Atom(in_.substr(at_, 2));
      at_ += 2;
      while (!AtEnd() && IsDigit(in_[at_])) out_ += in_[at_++];
      return absl::OkStatus();
    }
    CharacterClass set;
    COHORT_ASSIGN_OR_RETURN(const std::optional<char32_t> single,
                            EscapedMember(&set));
    Atom(single ? HexEscape(*single) : set.Pattern());
    return absl::OkStatus();
  }

  CharacterClass Named(std::string_view name) const {
    return NamedClass(name, with_additions_);
  }

  // What stands behind a backslash, in a class or alone: one character, or the
  // members of a set in `*set`.
  absl::StatusOr<std::optional<char32_t>> EscapedMember(CharacterClass* set) {
    ++at_;
    if (AtEnd()) return Broken("ends with \\");
    const char c = in_[at_];
    switch (c) {
      case 's':
      case 'd':
      case 'w':
      case 'h':
        ++at_;
        *set = Named(std::string_view(&c, 1));
        return std::nullopt;
      case 'S':
      case 'D':
      case 'W':
      case 'H': {
        ++at_;
        const char lower = static_cast<char>(c - 'A' + 'a');
        *set = FromPattern(Named(std::string_view(&lower, 1)).NegatedPattern());
        return std::nullopt;
      }
      case 'p':
      case 'P':
        return Property(set);
      default:
        return EscapedCharacter();
    }
  }

  absl::StatusOr<std::optional<char32_t>> Property(CharacterClass* set) {
    bool negated = in_[at_++] == 'P';
    const size_t end = in_.find('}', at_);
    if (!Take("{") || end == std::string_view::npos) {
      return Broken("\\p without {name}");
    }
    if (Take("^")) negated = !negated;
    const std::string_view name = in_.substr(at_, end - at_);
    for (const char c : name) {
      if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' &&
          c != ' ' && c != '-') {
        return Broken(absl::StrCat("no property is named ", std::string(name)));
      }
    }
    at_ = end + 1;
    *set = PropertyClass(name, with_additions_);
    if (negated) *set = FromPattern(set->NegatedPattern());
    return std::nullopt;
  }

  absl::StatusOr<std::optional<char32_t>> EscapedCharacter() {
    const char c = in_[at_];
    switch (c) {
      case 'n':
        return Control('\n');
      case 't':
        return Control('\t');
      case 'r':
        return Control('\r');
      case 'f':
        return Control('\f');
      case 'v':
        return Control('\v');
      case 'a':
        return Control('\a');
      case 'e':
        return Control(0x1B);
      case 'b':  // In a class.
        return Control('\b');
      case 'x':
        ++at_;
        return Take("{") ? Digits(16, 8, "}") : Digits(16, 2, "");
      case 'u':
        ++at_;
        return Digits(16, 4, "");
      case '0':
        return Digits(8, 3, "");
      default:
        break;
    }
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      return Unknown(absl::StrCat("\\", std::string(1, c)));
    }
    return NextCharacter(in_, &at_);
  }

  std::optional<char32_t> Control(char32_t c) {
    ++at_;
    return c;
  }

  absl::StatusOr<std::optional<char32_t>> Digits(int base, int most,
                                                 std::string_view close) {
    uint64_t value = 0;
    int count = 0;
    while (!AtEnd() && count < most &&
           (base == 16 ? IsHex(in_[at_]) : in_[at_] >= '0' && in_[at_] < '8')) {
      const char c = in_[at_++];
      value = value * base + (IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
      ++count;
    }
    if (count == 0 || !Take(close) || value > 0x10FFFF) {
      return Broken("impossible character number");
    }
    return static_cast<char32_t>(value);
  }

  // Behind "[" up to and with "]".
  absl::StatusOr<CharacterClass> Class(int depth) {
    if (depth > kDeepestClass) return Broken("class nested too deeply");
    const bool negated = Take("^");
    std::vector<CharacterClass> conjuncts(1);
    bool first = true;
    while (true) {
      if (AtEnd()) return Broken("open character class");
      // A bracket that comes first stands for itself.
      if (in_[at_] == ']' && !first) break;
      first = false;
      if (Take("&&")) {
        conjuncts.emplace_back();
        continue;
      }
      COHORT_RETURN_IF_ERROR(Member(depth, &conjuncts.back()));
    }
    ++at_;
    CharacterClass set = conjuncts.front();
    if (conjuncts.size() > 1) {
      std::string all;
      for (size_t i = 1; i < conjuncts.size(); ++i) {
        absl::StrAppend(&all, "(?=", conjuncts[i].Pattern(), ")");
      }
      set = FromPattern(absl::StrCat("(?:", all, set.Pattern(), ")"));
    }
    return negated ? FromPattern(set.NegatedPattern()) : set;
  }

  absl::Status Member(int depth, CharacterClass* set) {
    if (Sees("[:")) {
      const size_t end = in_.find(":]", at_);
      if (end != std::string_view::npos) return Bracket(end, set);
    }
    if (Take("[")) {
      COHORT_ASSIGN_OR_RETURN(const CharacterClass inner, Class(depth + 1));
      set->Add(inner);
      return absl::OkStatus();
    }
    CharacterClass members;
    COHORT_ASSIGN_OR_RETURN(const std::optional<char32_t> low,
                            OneMember(&members));
    if (!low) {
      set->Add(members);
      return absl::OkStatus();
    }
    char32_t last = *low;
    if (Sees("-") && at_ + 1 < in_.size() && in_[at_ + 1] != ']' &&
        !in_.substr(at_).starts_with("-&&") && in_[at_ + 1] != '[') {
      const size_t dash = at_++;
      COHORT_ASSIGN_OR_RETURN(const std::optional<char32_t> high,
                              OneMember(&members));
      if (high) {
        last = *high;
      } else {
        at_ = dash;  // "a-\d": the dash stands for itself.
      }
    }
    if (last < *low) return Broken("range runs backwards");
    set->Add(SingleRange(*low, last));
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<char32_t>> OneMember(CharacterClass* members) {
    if (in_[at_] == '\\') return EscapedMember(members);
    return NextCharacter(in_, &at_);
  }

  absl::Status Bracket(size_t end, CharacterClass* set) {
    at_ += 2;
    const bool negated = Take("^");
    const std::string_view name = in_.substr(at_, end - at_);
    const CharacterClass named = Named(name);
    if (name.size() < 2 || (named.items.empty() && named.patterns.empty())) {
      return Unknown(absl::StrCat("[:", std::string(name), ":]"));
    }
    at_ = end + 2;
    set->Add(negated ? FromPattern(named.NegatedPattern()) : named);
    return absl::OkStatus();
  }

  std::string_view in_;
  size_t at_ = 0;
  bool with_additions_;
  std::string out_;
  size_t atom_ = 0;           // Where in out_ the last atom begins.
  std::vector<size_t> open_;  // Where in out_ the open groups begin.
};

}  // namespace

absl::StatusOr<std::string> TranslateOniguruma(std::string_view pattern,
                                               bool with_additions) {
  const TextCheck check = CheckText(pattern);
  if (check.valid_bytes != pattern.size()) {
    return absl::InvalidArgumentError("a pattern is not UTF-8");
  }
  return Translator(pattern, with_additions).Translate();
}

}  // namespace cohort
