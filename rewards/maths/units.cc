#include "rewards/maths/units.h"

#include <cstdlib>
#include <iterator>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cohort {
namespace {

using Units = std::unordered_map<std::string_view, Unit>;

// In the singular; sizes in the first unit of their kind.
// clang-format off
constexpr std::pair<std::string_view, Unit> kUnits[] = {
    {"m", {"length", "1"}}, {"meter", {"length", "1"}},
    {"metre", {"length", "1"}}, {"cm", {"length", "1/100"}},
    {"centimeter", {"length", "1/100"}}, {"centimetre", {"length", "1/100"}},
    {"mm", {"length", "1/1000"}}, {"millimeter", {"length", "1/1000"}},
    {"millimetre", {"length", "1/1000"}}, {"km", {"length", "1000"}},
    {"kilometer", {"length", "1000"}}, {"kilometre", {"length", "1000"}},
    {"dm", {"length", "1/10"}}, {"decimeter", {"length", "1/10"}},
    {"nm", {"length", "1/1000000000"}}, {"inch", {"length", "127/5000"}},
    {"inche", {"length", "127/5000"}}, {"ft", {"length", "381/1250"}},
    {"foot", {"length", "381/1250"}}, {"feet", {"length", "381/1250"}},
    {"yd", {"length", "1143/1250"}}, {"yard", {"length", "1143/1250"}},
    {"mile", {"length", "201168/125"}}, {"mi", {"length", "201168/125"}},
    {"s", {"time", "1"}}, {"sec", {"time", "1"}}, {"second", {"time", "1"}},
    {"ms", {"time", "1/1000"}}, {"min", {"time", "60"}},
    {"minute", {"time", "60"}}, {"h", {"time", "3600"}},
    {"hr", {"time", "3600"}}, {"hour", {"time", "3600"}},
    {"day", {"time", "86400"}}, {"week", {"time", "604800"}},
    {"month", {"month", "1"}}, {"year", {"month", "12"}},
    {"yr", {"month", "12"}}, {"g", {"mass", "1"}}, {"gram", {"mass", "1"}},
    {"kg", {"mass", "1000"}}, {"kilogram", {"mass", "1000"}},
    {"mg", {"mass", "1/1000"}}, {"milligram", {"mass", "1/1000"}},
    {"ton", {"ton", "1"}}, {"tonne", {"mass", "1000000"}},
    {"lb", {"pound", "1"}}, {"pound", {"pound", "1"}}, {"oz", {"ounce", "1"}},
    {"ounce", {"ounce", "1"}}, {"l", {"volume", "1"}},
    {"liter", {"volume", "1"}}, {"litre", {"volume", "1"}},
    {"ml", {"volume", "1/1000"}}, {"milliliter", {"volume", "1/1000"}},
    {"millilitre", {"volume", "1/1000"}}, {"cup", {"cup", "1"}},
    {"gallon", {"gallon", "1"}}, {"gal", {"gallon", "1"}},
    {"quart", {"quart", "1"}}, {"pint", {"pint", "1"}},
    {"dollar", {"dollar", "1"}}, {"usd", {"dollar", "1"}},
    {"buck", {"dollar", "1"}}, {"cent", {"dollar", "1/100"}},
    {"penny", {"dollar", "1/100"}}, {"euro", {"euro", "1"}},
    {"yuan", {"yuan", "1"}}, {"rupee", {"rupee", "1"}},
    {"degree", {"angle", "1"}}, {"deg", {"angle", "1"}},
    {"rad", {"radian", "1"}}, {"radian", {"radian", "1"}},
    {"j", {"energy", "1"}}, {"joule", {"energy", "1"}},
    {"kj", {"energy", "1000"}}, {"cal", {"calorie", "1"}},
    {"calorie", {"calorie", "1"}}, {"n", {"force", "1"}},
    {"newton", {"force", "1"}}, {"w", {"power", "1"}}, {"watt", {"power", "1"}},
    {"kw", {"power", "1000"}}, {"v", {"voltage", "1"}},
    {"volt", {"voltage", "1"}}, {"a", {"current", "1"}},
    {"amp", {"current", "1"}}, {"ampere", {"current", "1"}},
    {"ohm", {"resistance", "1"}}, {"hz", {"frequency", "1"}},
    {"hertz", {"frequency", "1"}}, {"mol", {"amount", "1"}},
    {"mole", {"amount", "1"}}, {"pa", {"pressure", "1"}},
    {"pascal", {"pressure", "1"}}, {"atm", {"atmosphere", "1"}},
    {"mph", {"mph", "1"}}, {"kph", {"kph", "1"}}, {"kmh", {"kph", "1"}},
    {"acre", {"acre", "1"}}, {"hectare", {"hectare", "1"}},
    {"bit", {"bit", "1"}}, {"byte", {"bit", "8"}}, {"am", {"am", "1"}},
    {"pm", {"pm", "1"}}, {"k", {"kelvin", "1"}}, {"kelvin", {"kelvin", "1"}},
    {"c", {"celsius", "1"}}, {"celsius", {"celsius", "1"}},
    {"f", {"fahrenheit", "1"}}, {"fahrenheit", {"fahrenheit", "1"}},
};
// clang-format on

const Units& Table() {
  static const auto* const table =
      new Units(std::begin(kUnits), std::end(kUnits));
  return *table;
}

// "meters" -> "meter", "inches" -> "inch", "feet" -> "foot".
std::string Singular(std::string word) {
  if (word == "feet") return "foot";
  if (word == "inches" || word == "inche") return "inch";
  if (word == "pennies") return "penny";
  if (word.size() > 3 && word.ends_with("ies")) {
    return word.substr(0, word.size() - 3) + "y";
  }
  if (word.size() > 2 && word.ends_with("s") && !word.ends_with("ss") &&
      !word.ends_with("us")) {
    word.pop_back();
  }
  return word;
}

const Unit* Find(std::string_view word) {
  const auto found = Table().find(word);
  return found == Table().end() ? nullptr : &found->second;
}

bool SaysNothing(std::string_view word) {
  return word == "unit" || word == "units" || word == "the" || word == "of" ||
         word == "a" || word == "an" || word == "in" || word == "total";
}

// The words of a unit with their powers.
class UnitReader {
 public:
  std::map<std::string, int> Read(std::string_view text) {
    for (size_t i = 0; i < text.size();) {
      const char c = text[i];
      if (absl::ascii_isalpha(c)) {
        const size_t begin = i;
        while (i < text.size() && absl::ascii_isalpha(text[i])) ++i;
        Word(absl::AsciiStrToLower(
            absl::string_view(text.data() + begin, i - begin)));
      } else if (absl::ascii_isdigit(c)) {
        if (after_caret_ && !last_.empty()) Raise(c - '0');
        ++i;
      } else {
        if (c == '/') sign_ = -1;
        after_caret_ = c == '^' || (after_caret_ && (c == '{' || c == '-'));
        negative_ = after_caret_ && (c == '-' || (negative_ && c != '^'));
        ++i;
      }
    }
    return powers_;
  }

 private:
  void Word(const std::string& word) {
    if (word == "per") {
      sign_ = -1;
    } else if (word == "square" || word == "sq") {
      next_power_ = 2;
    } else if (word == "cubic" || word == "cu") {
      next_power_ = 3;
    } else if (word == "squared") {
      Raise(2);
    } else if (word == "cubed") {
      Raise(3);
    } else if (word == "mph" || word == "kph" || word == "kmh") {
      powers_[word == "mph" ? "mile" : "km"] += sign_;
      powers_["hour"] -= sign_;
    } else if (!SaysNothing(word)) {
      last_ = Singular(word);
      powers_[last_] += sign_ * next_power_;
      next_power_ = 1;
    }
  }

  void Raise(int power) {
    if (last_.empty()) return;
    int& now = powers_[last_];
    now = (now < 0) != negative_ ? -power : power;
  }

  std::map<std::string, int> powers_;
  std::string last_;
  int sign_ = 1;
  int next_power_ = 1;
  bool after_caret_ = false;
  bool negative_ = false;  // The exponent has a minus.
};

}  // namespace

const Unit* FindUnit(std::string_view word) {
  if (word.size() < 2) return nullptr;
  const std::string lower =
      absl::AsciiStrToLower(absl::string_view(word.data(), word.size()));
  const Unit* unit = Find(lower);
  return unit != nullptr ? unit : Find(Singular(lower));
}

const Unit* FindLetterUnit(std::string_view letter) {
  static constexpr std::string_view kLetters = "msgJNWVLlAhK";
  if (letter.size() != 1 ||
      kLetters.find(letter[0]) == std::string_view::npos) {
    return nullptr;
  }
  const char lower = absl::ascii_tolower(letter[0]);
  return Find(std::string_view(&lower, 1));
}

std::string PlainUnit(std::string_view text) {
  std::string plain;
  for (const auto& [word, power] : UnitReader().Read(text)) {
    if (power == 0) continue;
    absl::StrAppend(&plain, plain.empty() ? "" : " ", word);
    if (power != 1) absl::StrAppend(&plain, "^", power);
  }
  return plain;
}

bool MeasureUnit(const std::string& plain, std::string* kinds,
                 mpq_class* size) {
  std::map<std::string, int> powers;
  *size = 1;
  for (const absl::string_view part : absl::StrSplit(plain, ' ')) {
    const std::vector<std::string> pieces = absl::StrSplit(part, '^');
    const Unit* const unit = Find(pieces[0]);
    int power = 1;
    if (unit == nullptr) return false;
    if (pieces.size() == 2 && !absl::SimpleAtoi(pieces[1], &power))
      return false;
    if (power < -9 || power > 9) return false;
    const mpq_class factor(unit->factor);
    for (int i = 0; i < std::abs(power); ++i) {
      if (power > 0) {
        *size *= factor;
      } else {
        *size /= factor;
      }
    }
    powers[std::string(unit->kind)] += power;
  }
  for (const auto& [kind, power] : powers) {
    if (power != 0) absl::StrAppend(kinds, kind, "^", power, " ");
  }
  return true;
}

}  // namespace cohort
