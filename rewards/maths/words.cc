#include "rewards/maths/words.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/ascii.h"
#include "rewards/maths/units.h"

namespace cohort {
namespace {

using Words = std::unordered_set<std::string_view>;
using Functions = std::unordered_map<std::string_view, Function>;

// clang-format off
constexpr std::pair<std::string_view, Function> kFunctions[] = {
    {"sin", Function::kSin}, {"cos", Function::kCos}, {"tan", Function::kTan},
    {"tg", Function::kTan}, {"cot", Function::kCot}, {"ctg", Function::kCot},
    {"sec", Function::kSec}, {"csc", Function::kCsc}, {"cosec", Function::kCsc},
    {"arcsin", Function::kArcsin}, {"arccos", Function::kArccos},
    {"arctan", Function::kArctan}, {"arctg", Function::kArctan},
    {"arccot", Function::kArccot}, {"arcsec", Function::kArcsec},
    {"arccsc", Function::kArccsc}, {"asin", Function::kArcsin},
    {"acos", Function::kArccos}, {"atan", Function::kArctan},
    {"sinh", Function::kSinh}, {"cosh", Function::kCosh},
    {"tanh", Function::kTanh}, {"coth", Function::kCoth},
    {"sech", Function::kSech}, {"csch", Function::kCsch},
    {"arcsinh", Function::kArsinh}, {"arsinh", Function::kArsinh},
    {"asinh", Function::kArsinh}, {"arccosh", Function::kArcosh},
    {"arcosh", Function::kArcosh}, {"acosh", Function::kArcosh},
    {"arctanh", Function::kArtanh}, {"artanh", Function::kArtanh},
    {"atanh", Function::kArtanh}, {"exp", Function::kExp},
    {"cis", Function::kCis},
    {"ln", Function::kLn}, {"log", Function::kLog}, {"lg", Function::kLog},
    {"abs", Function::kAbs}, {"floor", Function::kFloor},
    {"ceil", Function::kCeil}, {"ceiling", Function::kCeil},
    {"round", Function::kRound}, {"sgn", Function::kSign},
    {"sign", Function::kSign}, {"Re", Function::kRe}, {"Im", Function::kIm},
    {"conj", Function::kConjugate}, {"gcd", Function::kGcd},
    {"GCD", Function::kGcd}, {"gcf", Function::kGcd}, {"lcm", Function::kLcm},
    {"LCM", Function::kLcm}, {"min", Function::kMin}, {"max", Function::kMax},
    {"Min", Function::kMin}, {"Max", Function::kMax},
};
// clang-format on

// clang-format off
constexpr std::pair<std::string_view, char> kRelations[] = {
    {"le", kLessEqual}, {"leq", kLessEqual}, {"leqslant", kLessEqual},
    {"leqq", kLessEqual}, {"ge", kGreaterEqual}, {"geq", kGreaterEqual},
    {"geqslant", kGreaterEqual}, {"geqq", kGreaterEqual}, {"lt", kLess},
    {"gt", kGreater}, {"ne", kNotEqual}, {"neq", kNotEqual},
    {"approx", kApprox}, {"approxeq", kApprox}, {"simeq", kApprox},
    {"thickapprox", kApprox}, {"doteq", kApprox}, {"in", kIn},
    {"equiv", kOtherRelation}, {"sim", kOtherRelation},
    {"cong", kOtherRelation}, {"to", kOtherRelation},
    {"rightarrow", kOtherRelation}, {"Rightarrow", kOtherRelation},
    {"implies", kOtherRelation}, {"iff", kOtherRelation},
    {"Leftrightarrow", kOtherRelation}, {"mapsto", kOtherRelation},
    {"notin", kOtherRelation}, {"subset", kOtherRelation},
    {"subseteq", kOtherRelation}, {"supset", kOtherRelation},
    {"parallel", kOtherRelation}, {"perp", kOtherRelation},
    {"propto", kOtherRelation}, {"ll", kOtherRelation}, {"gg", kOtherRelation},
    {"longrightarrow", kOtherRelation},
};
// clang-format on

constexpr std::string_view kPlainWords =
    "pi inf infty infinity sqrt and or mod nan NaN not choose oo frac DNE "
    "no yes odd cbrt alpha beta theta gamma lambda omega phi deg pct "
    "percent to";

constexpr std::string_view kLayoutCommands =
    "left right mleft mright middle big Big bigg Bigg bigl bigr Bigl Bigr "
    "biggl biggr Biggl Biggr bigm Bigm displaystyle textstyle scriptstyle "
    "scriptscriptstyle quad qquad limits nolimits thinspace medspace "
    "thickspace enspace hfill hline noindent newline allowbreak nonumber "
    "notag strut phantom negthinspace relax ensuremath normalsize large "
    "Large small bf it rm sf tt boldmath therefore because hspace vspace "
    "null space";

constexpr std::string_view kTextCommands =
    "text textbf textit textrm textsf texttt textup textnormal textmd "
    "textsc mbox hbox mathrm mathbf mathit mathsf mathtt mathnormal "
    "operatorname emph boldsymbol bm pmb mathop underline";

constexpr std::string_view kSymbolCommands =
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota "
    "kappa lambda mu nu xi rho varrho sigma varsigma tau upsilon phi varphi "
    "chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi "
    "Omega ell hbar aleph imath jmath square Box triangle circ star ldots "
    "dots cdots vdots ddots nabla partial top bot heartsuit spadesuit "
    "diamondsuit clubsuit uveci uvecj uveck";

constexpr std::string_view kOtherCommands =
    "frac dfrac tfrac cfrac sqrt binom pi infty cdot times div pm mp cup "
    "cap setminus vert lvert rvert lbrace rbrace lbrack rbrack langle "
    "rangle lfloor rfloor lceil rceil lgroup rgroup sum prod int lim mathbb "
    "overline emptyset circ mod bmod boxed mid exp dbinom tbinom cbrt "
    "choose ulcorner urcorner llcorner lrcorner exponentialE varnothing bar "
    "vec hat overrightarrow widehat fbox mathcal pmod angle ast bullet land "
    "lor wedge vee backslash smallsetminus bigcup bigcap cr colon lVert "
    "rVert Vert imaginaryI imaginaryJ Bbb lparen rparen degree prime tilde "
    "det pounds euro yen widetilde mathscr mathfrak underbrace framebox "
    "overleftrightarrow "
    "partial";

Words SplitWords(std::string_view words) {
  Words split;
  while (!words.empty()) {
    const size_t end = std::min(words.find(' '), words.size());
    split.insert(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return split;
}

const Functions& FunctionTable() {
  static const auto* const table =
      new Functions(std::begin(kFunctions), std::end(kFunctions));
  return *table;
}

const Words& PlainWordTable() {
  static const auto* const table = new Words(SplitWords(kPlainWords));
  return *table;
}

bool AllUpper(std::string_view run) {
  for (const char c : run) {
    if (!absl::ascii_isupper(c)) return false;
  }
  return true;
}

}  // namespace

bool IsLayoutCommand(std::string_view name) {
  static const auto* const table = new Words(SplitWords(kLayoutCommands));
  return table->contains(name);
}

bool IsTextCommand(std::string_view name) {
  static const auto* const table = new Words(SplitWords(kTextCommands));
  return table->contains(name);
}

std::string_view EnvironmentToken(std::string_view name, bool opens) {
  if (name.ends_with("*")) name.remove_suffix(1);
  if (name == "pmatrix" || name == "bmatrix" || name == "matrix" ||
      name == "Bmatrix" || name == "smallmatrix" || name == "array" ||
      name == "bsmallmatrix" || name == "psmallmatrix") {
    return opens ? "[matrix" : "]matrix";
  }
  if (name == "vmatrix") return opens ? "[det" : "]det";
  if (name == "cases" || name == "dcases") return opens ? "[cases" : "]cases";
  if (name == "align" || name == "aligned" || name == "gather" ||
      name == "gathered" || name == "equation" || name == "split" ||
      name == "center" || name == "displaymath" || name == "math") {
    return "&";
  }
  return "";
}

std::optional<Function> FunctionNamed(std::string_view name) {
  const auto found = FunctionTable().find(name);
  if (found == FunctionTable().end()) return std::nullopt;
  return found->second;
}

bool IsKnownWord(std::string_view word) {
  return PlainWordTable().contains(word) || FunctionNamed(word).has_value() ||
         JoinerNamed(word) != 0;
}

size_t WordAtFront(std::string_view run, bool after_number) {
  if (run.size() == 1) return 1;
  if (IsKnownWord(run)) return run.size();
  if (after_number && FindUnit(run) != nullptr) return run.size();
  if (after_number && run.size() >= 4) return run.size();
  // "sinx", "lnab", "sqrtx": a function and what it is of.
  for (size_t size = std::min<size_t>(run.size() - 1, 7); size >= 2; --size) {
    const std::string_view front = run.substr(0, size);
    const bool known = FunctionNamed(front).has_value() || front == "sqrt";
    if (known && front != "Re" && front != "Im" && front != "lg" &&
        front != "tg" && run.size() - size <= 2) {
      return size;
    }
  }
  if (run.size() >= 4 || (run.size() == 3 && AllUpper(run))) return run.size();
  // "xpi", "2pix": pi inside a short run.
  if (run.starts_with("pi")) return 2;
  return 1;
}

bool IsSymbolCommand(std::string_view name) {
  static const auto* const table = new Words(SplitWords(kSymbolCommands));
  return table->contains(name);
}

size_t CommandAtFront(std::string_view name) {
  static const auto* const table = new Words(SplitWords(kOtherCommands));
  for (size_t size = name.size(); size >= 2; --size) {
    const std::string_view front = name.substr(0, size);
    const bool known = table->contains(front) || IsLayoutCommand(front) ||
                       IsTextCommand(front) || IsSymbolCommand(front) ||
                       RelationNamed(front) != 0 ||
                       FunctionNamed(front).has_value();
    if (known && (size == name.size() || size >= 3 || front == "pi")) {
      return size;
    }
  }
  return 0;
}

char RelationNamed(std::string_view name) {
  static const auto* const table =
      new std::unordered_map<std::string_view, char>(std::begin(kRelations),
                                                     std::end(kRelations));
  const auto found = table->find(name);
  return found == table->end() ? '\0' : found->second;
}

char JoinerNamed(std::string_view text) {
  if (text == "and" || text == "And" || text == "AND" || text == "&")
    return 'a';
  if (text == "or" || text == "Or" || text == "OR" || text == "and/or")
    return 'o';
  return '\0';
}

long MultiplierNamed(std::string_view text) {
  if (text == "hundred") return 100;
  if (text == "thousand") return 1000;
  if (text == "million") return 1000000;
  if (text == "billion") return 1000000000;
  if (text == "trillion") return 1000000000000;
  if (text == "dozen") return 12;
  return 0;
}

}  // namespace cohort
