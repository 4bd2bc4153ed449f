#include "rewards/arithmetic.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/check.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr char kMinusSign = '~';  // Unary; '-' is the operation.

struct Spelling {
  std::string_view text;
  char operation;  // '\0': means nothing.
};

constexpr Spelling kSpellings[] = {
    {"\\times", '*'},      {"\\cdot", '*'},   {"\\div", '/'},
    {"\\left", '\0'},      {"\\right", '\0'}, {"\\,", '\0'},
    {"\\ ", '\0'},         {"\xC3\x97", '*'},  // U+00D7.
    {"\xC3\xB7", '/'},                         // U+00F7.
    {"\xC2\xB7", '*'},                         // U+00B7.
    {"\xE2\x8B\x85", '*'},                     // U+22C5.
    {"\xE2\x88\x92", '-'},                     // U+2212.
};

int Precedence(char operation) {
  switch (operation) {
    case '+':
    case '-':
      return 1;
    case '*':
    case '/':
      return 2;
    case kMinusSign:
      return 3;
    default:
      return 0;  // An open parenthesis.
  }
}

// Dijkstra's shunting yard: operands and operations wait on two stacks.
class Evaluator {
 public:
  explicit Evaluator(size_t max_numbers) : max_numbers_(max_numbers) {}

  absl::Status Number(std::string_view digits);
  absl::Status Operation(char operation);
  absl::StatusOr<Evaluated> Finish();

 private:
  absl::Status Reduce();  // Applies the last operation.
  absl::Status Close();

  const size_t max_numbers_;
  bool operand_next_ = true;
  std::vector<mpq_class> operands_;
  std::vector<char> operations_;
  std::vector<int64_t> numbers_;
};

absl::Status Evaluator::Number(std::string_view digits) {
  if (!operand_next_) {
    return absl::InvalidArgumentError("two numbers without an operation");
  }
  int64_t number = 0;
  if (!absl::SimpleAtoi(absl::string_view(digits.data(), digits.size()),
                        &number)) {
    return absl::InvalidArgumentError("a number is too large");
  }
  if (numbers_.size() == max_numbers_) {
    return absl::InvalidArgumentError(
        absl::StrCat("more than ", max_numbers_, " numbers"));
  }
  numbers_.push_back(number);
  operands_.emplace_back(static_cast<long>(number));
  operand_next_ = false;
  return absl::OkStatus();
}

absl::Status Evaluator::Operation(char operation) {
  if (operation == '(') {
    if (!operand_next_) {
      return absl::InvalidArgumentError("'(' without an operation");
    }
    operations_.push_back('(');
    return absl::OkStatus();
  }
  if (operation == ')') return Close();
  if (operand_next_) {
    if (operation == '+') return absl::OkStatus();  // A sign.
    if (operation != '-') {
      return absl::InvalidArgumentError("an operation without a number");
    }
    operations_.push_back(kMinusSign);
    return absl::OkStatus();
  }
  while (!operations_.empty() &&
         Precedence(operations_.back()) >= Precedence(operation)) {
    COHORT_RETURN_IF_ERROR(Reduce());
  }
  operations_.push_back(operation);
  operand_next_ = true;
  return absl::OkStatus();
}

absl::Status Evaluator::Close() {
  if (operand_next_) return absl::InvalidArgumentError("')' without a number");
  while (!operations_.empty() && operations_.back() != '(') {
    COHORT_RETURN_IF_ERROR(Reduce());
  }
  if (operations_.empty()) return absl::InvalidArgumentError("')' without '('");
  operations_.pop_back();
  return absl::OkStatus();
}

absl::Status Evaluator::Reduce() {
  const char operation = operations_.back();
  operations_.pop_back();
  if (operation == '(') return absl::InvalidArgumentError("'(' without ')'");
  if (operation == kMinusSign) {
    operands_.back() = -operands_.back();
    return absl::OkStatus();
  }
  COHORT_CHECK(operands_.size() >= 2);
  const mpq_class right = std::move(operands_.back());
  operands_.pop_back();
  mpq_class& left = operands_.back();
  if (operation == '/' && right == 0) {
    return absl::InvalidArgumentError("division by 0");
  }
  if (operation == '+') left += right;
  if (operation == '-') left -= right;
  if (operation == '*') left *= right;
  if (operation == '/') left /= right;
  return absl::OkStatus();
}

absl::StatusOr<Evaluated> Evaluator::Finish() {
  if (operand_next_) return absl::InvalidArgumentError("a number is missing");
  while (!operations_.empty()) COHORT_RETURN_IF_ERROR(Reduce());
  COHORT_CHECK(operands_.size() == 1);
  return Evaluated{.value = std::move(operands_.back()),
                   .numbers = std::move(numbers_)};
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes a longer spelling off the front of `text`.
std::optional<Spelling> TakeSpelling(std::string_view* text) {
  for (const Spelling& spelling : kSpellings) {
    if (text->starts_with(spelling.text)) {
      text->remove_prefix(spelling.text.size());
      return spelling;
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<Evaluated> EvaluateArithmetic(std::string_view text,
                                             size_t max_numbers) {
  constexpr std::string_view kOperations = "+-*/()";
  constexpr std::string_view kSpace = " \t\r\n";
  Evaluator evaluator(max_numbers);
  while (!text.empty()) {
    if (IsDigit(text[0])) {
      size_t size = 1;
      while (size < text.size() && IsDigit(text[size])) ++size;
      COHORT_RETURN_IF_ERROR(evaluator.Number(text.substr(0, size)));
      text.remove_prefix(size);
    } else if (kOperations.find(text[0]) != std::string_view::npos) {
      COHORT_RETURN_IF_ERROR(evaluator.Operation(text[0]));
      text.remove_prefix(1);
    } else if (kSpace.find(text[0]) != std::string_view::npos) {
      text.remove_prefix(1);
    } else if (const auto spelling = TakeSpelling(&text)) {
      if (spelling->operation != '\0') {
        COHORT_RETURN_IF_ERROR(evaluator.Operation(spelling->operation));
      }
    } else {
      return absl::InvalidArgumentError("not arithmetic");
    }
  }
  return evaluator.Finish();
}

}  // namespace cohort
