#include "rewards/maths/text.h"

#include <cstdint>
#include <iterator>
#include <unordered_map>
#include <utility>

#include "absl/strings/ascii.h"

namespace cohort {
namespace {

constexpr std::string_view kUnknown = "\xEF\xBF\xBD";  // U+FFFD.

using Table = std::unordered_map<std::string_view, std::string_view>;

using Pair = std::pair<std::string_view, std::string_view>;

// clang-format off
constexpr Pair kSigns[] = {
    {"−", "-"}, {"–", "-"}, {"—", "-"}, {"﹣", "-"}, {"－", "-"},
    {"‐", "-"}, {"‑", "-"}, {"＋", "+"}, {"×", "\\times "},
    {"✕", "\\times "}, {"⋅", "\\cdot "}, {"·", "\\cdot "},
    {"∙", "\\cdot "}, {"•", "\\cdot "}, {"∗", "*"}, {"÷", "\\div "},
    {"⁄", "/"}, {"∕", "/"}, {"／", "/"}, {"√", "\\sqrt "},
    {"∛", "\\sqrt[3] "}, {"∜", "\\sqrt[4] "}, {"∞", "\\infty "},
    {"±", "\\pm "}, {"∓", "\\mp "}, {"≤", "\\le "}, {"⩽", "\\le "},
    {"≦", "\\le "}, {"≥", "\\ge "}, {"⩾", "\\ge "}, {"≧", "\\ge "},
    {"≠", "\\ne "}, {"≈", "\\approx "}, {"≃", "\\approx "},
    {"≡", "\\equiv "}, {"∪", "\\cup "}, {"∩", "\\cap "},
    {"∖", "\\setminus "}, {"∈", "\\in "}, {"∉", "\\notin "},
    {"∅", "\\emptyset "}, {"Ø", "\\emptyset "}, {"ℝ", "\\mathbb{R} "},
    {"ℤ", "\\mathbb{Z} "}, {"ℕ", "\\mathbb{N} "}, {"ℚ", "\\mathbb{Q} "},
    {"ℂ", "\\mathbb{C} "}, {"°", "^\\circ "}, {"º", "^\\circ "},
    {"′", "'"}, {"’", "'"}, {"‘", "'"}, {"″", "''"}, {"“", "\""},
    {"”", "\""}, {"…", "\\ldots "}, {"⋯", "\\ldots "}, {"→", "\\to "},
    {"∣", "|"}, {"⌊", "\\lfloor "}, {"⌋", "\\rfloor "},
    {"⌈", "\\lceil "}, {"⌉", "\\rceil "}, {"⟨", "\\langle "},
    {"⟩", "\\rangle "}, {"∠", "\\angle "}, {"△", "\\triangle "},
    {"∑", "\\sum "}, {"∏", "\\prod "}, {"∫", "\\int "},
    {"½", "\\frac{1}{2}"}, {"⅓", "\\frac{1}{3}"}, {"⅔", "\\frac{2}{3}"},
    {"¼", "\\frac{1}{4}"}, {"¾", "\\frac{3}{4}"}, {"⅕", "\\frac{1}{5}"},
    {"⅖", "\\frac{2}{5}"}, {"⅗", "\\frac{3}{5}"}, {"⅘", "\\frac{4}{5}"},
    {"⅙", "\\frac{1}{6}"}, {"⅚", "\\frac{5}{6}"}, {"⅐", "\\frac{1}{7}"},
    {"⅛", "\\frac{1}{8}"}, {"⅜", "\\frac{3}{8}"}, {"⅝", "\\frac{5}{8}"},
    {"⅞", "\\frac{7}{8}"}, {"⅑", "\\frac{1}{9}"}, {"⅒", "\\frac{1}{10}"},
    {"€", "\\$"}, {"£", "\\$"}, {"¥", "\\$"}, {"￥", "\\$"},
    {"₹", "\\$"}, {"¢", "\\text{ cents}"}, {"％", "\\%"}, {"（", "("}, {"）", ")"}, {"［", "["},
    {"］", "]"}, {"｛", "{"}, {"｝", "}"}, {"，", ", "}, {"、", ", "},
    {"；", "; "}, {"：", ":"}, {"＝", "="}, {"＜", "<"}, {"＞", ">"},
    {"｜", "|"}, {"。", ". "}, {"\u00A0", " "}, {"\u2002", " "},
    {"\u2003", " "}, {"\u2004", " "}, {"\u2005", " "}, {"\u2006", " "},
    {"\u2007", " "}, {"\u2008", " "}, {"\u2009", "\\,"}, {"\u200A", " "},
    {"\u202F", "\\,"}, {"\u3000", " "}, {"\u2061", ""}, {"\u2062", "\\cdot "},
    {"α", "\\alpha "}, {"β", "\\beta "}, {"γ", "\\gamma "},
    {"δ", "\\delta "}, {"ε", "\\epsilon "}, {"ζ", "\\zeta "},
    {"η", "\\eta "}, {"θ", "\\theta "}, {"ϑ", "\\theta "}, {"ι", "\\iota "},
    {"κ", "\\kappa "}, {"λ", "\\lambda "}, {"μ", "\\mu "}, {"µ", "\\mu "},
    {"ν", "\\nu "}, {"ξ", "\\xi "}, {"π", "\\pi "}, {"ρ", "\\rho "},
    {"σ", "\\sigma "}, {"τ", "\\tau "}, {"υ", "\\upsilon "},
    {"φ", "\\phi "}, {"ϕ", "\\phi "}, {"χ", "\\chi "}, {"ψ", "\\psi "},
    {"ω", "\\omega "}, {"Γ", "\\Gamma "}, {"Δ", "\\Delta "},
    {"∆", "\\Delta "}, {"Θ", "\\Theta "}, {"Λ", "\\Lambda "},
    {"Ξ", "\\Xi "}, {"Π", "\\Pi "}, {"Σ", "\\Sigma "}, {"Φ", "\\Phi "},
    {"Ψ", "\\Psi "}, {"Ω", "\\Omega "}, {"ℓ", "\\ell "},
};
// clang-format on

const Table& Signs() {
  static const Table* const table =
      new Table(std::begin(kSigns), std::end(kSigns));
  return *table;
}

// Runs of these become one ^{..} or _{..}.
const Table& Superscripts() {
  static const Table* const table = new Table{
      {"⁰", "0"}, {"¹", "1"}, {"²", "2"}, {"³", "3"}, {"⁴", "4"}, {"⁵", "5"},
      {"⁶", "6"}, {"⁷", "7"}, {"⁸", "8"}, {"⁹", "9"}, {"⁺", "+"}, {"⁻", "-"},
      {"⁽", "("}, {"⁾", ")"}, {"ⁿ", "n"}, {"ⁱ", "i"}, {"ˣ", "x"}};
  return *table;
}

const Table& Subscripts() {
  static const Table* const table = new Table{
      {"₀", "0"}, {"₁", "1"}, {"₂", "2"}, {"₃", "3"}, {"₄", "4"}, {"₅", "5"},
      {"₆", "6"}, {"₇", "7"}, {"₈", "8"}, {"₉", "9"}, {"₊", "+"}, {"₋", "-"},
      {"ₙ", "n"}, {"ₖ", "k"}, {"ᵢ", "i"}, {"ⱼ", "j"}, {"ₘ", "m"}, {"ₓ", "x"}};
  return *table;
}

uint32_t CodePoint(std::string_view c) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(c[i]); };
  switch (c.size()) {
    case 2:
      return (byte(0) & 0x1Fu) << 6 | (byte(1) & 0x3Fu);
    case 3:
      return (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 |
             (byte(2) & 0x3Fu);
    case 4:
      return (byte(0) & 0x07u) << 18 | (byte(1) & 0x3Fu) << 12 |
             (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu);
    default:
      return byte(0);
  }
}

// The number that full-width, circled, Roman and mathematical digits show.
std::string DigitValue(uint32_t c) {
  const auto text = [](uint32_t n) { return std::to_string(n); };
  if (c >= 0xFF10 && c <= 0xFF19) return text(c - 0xFF10);
  if (c >= 0x2460 && c <= 0x2473) return text(c - 0x2460 + 1);
  if (c >= 0x2160 && c <= 0x216B) return text(c - 0x2160 + 1);
  if (c >= 0x2170 && c <= 0x217B) return text(c - 0x2170 + 1);
  if (c >= 0x1D7CE && c <= 0x1D7FF) return text((c - 0x1D7CE) % 10);
  if (c == 0x24EA) return "0";
  return "";
}

// Zero width, directional and other characters that hide what is shown.
bool IsInvisible(uint32_t c) {
  return (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || c == 0xAD ||
         (c >= 0x80 && c < 0xA0);
}

// One pass that keeps track of an open run of super- or subscripts.
class Writer {
 public:
  explicit Writer(bool digits) : digits_(digits) {}

  void Take(std::string_view c) {
    if (const auto up = Superscripts().find(c); up != Superscripts().end()) {
      return Script('^', up->second);
    }
    if (const auto low = Subscripts().find(c); low != Subscripts().end()) {
      return Script('_', low->second);
    }
    Close();
    if (c.size() == 1) {
      out_ += c[0] == '\0' ? kUnknown : c;
      return;
    }
    const uint32_t code = CodePoint(c);
    if (const auto sign = Signs().find(c); sign != Signs().end()) {
      out_ += sign->second;
    } else if (const std::string digit = digits_ ? DigitValue(code) : "";
               !digit.empty()) {
      out_ += digit;
    } else {
      out_ += IsInvisible(code) ? kUnknown : c;
    }
  }

  std::string Finish() {
    Close();
    return std::move(out_);
  }

 private:
  void Script(char kind, std::string_view text) {
    if (open_ != kind) {
      Close();
      out_ += kind;
      out_ += '{';
      open_ = kind;
    }
    out_ += text;
  }

  void Close() {
    if (open_ != 0) out_ += '}';
    open_ = 0;
  }

  const bool digits_;
  std::string out_;
  char open_ = 0;
};

}  // namespace

size_t CharacterBytes(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) return 1;
  const size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((text[i] & 0xC0) != 0x80) return 0;
  }
  const auto second = static_cast<uint8_t>(text[1]);
  if (lead == 0xE0 && second < 0xA0) return 0;
  if (lead == 0xED && second > 0x9F) return 0;
  if (lead == 0xF0 && second < 0x90) return 0;
  if (lead == 0xF4 && second > 0x8F) return 0;
  return size;
}

std::string AsciiMath(std::string_view text, bool digits) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(3);
  bool plain = true;
  for (const char c : text) plain = plain && c > 0;
  if (plain) return std::string(text);
  Writer writer(digits);
  while (!text.empty()) {
    const size_t size = CharacterBytes(text);
    writer.Take(size == 0 ? kUnknown : text.substr(0, size));
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return writer.Finish();
}

std::string PlainWords(std::string_view text) {
  static const auto* const kDropped =
      new std::unordered_map<std::string_view, bool>{
          {"text", true},     {"textbf", true},       {"textit", true},
          {"textrm", true},   {"mbox", true},         {"mathrm", true},
          {"mathbf", true},   {"mathit", true},       {"mathsf", true},
          {"rm", true},       {"bf", true},           {"it", true},
          {"left", true},     {"right", true},        {"displaystyle", true},
          {"quad", true},     {"qquad", true},        {"textup", true},
          {"emph", true},     {"operatorname", true}, {"boxed", true},
          {"underline", true}};
  std::string out;
  const auto space = [&out] {
    if (!out.empty() && out.back() != ' ') out += ' ';
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      size_t end = i + 1;
      while (end < text.size() && absl::ascii_isalpha(text[end])) ++end;
      const std::string_view name = text.substr(i + 1, end - i - 1);
      if (name.empty()) {
        const char next = text[++i];
        if (next == ' ' || next == ',' || next == ';' || next == ':' ||
            next == '!') {
          space();
        } else {
          out += next;
        }
        continue;
      }
      if (kDropped->contains(name)) {
        i = end - 1;
        continue;
      }
      out += c;
      continue;
    }
    if (c == '$' || c == '{' || c == '}' || c == '*' || c == '"') continue;
    if (absl::ascii_isspace(c) || c == '~') {
      space();
    } else {
      out += absl::ascii_tolower(c);
    }
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == '.'))
    out.pop_back();
  return out;
}

}  // namespace cohort
