// Values of Python's built-in types, as they travel to and from a submission.
// The frames are those of sandbox/zygote.py.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace cohort {

struct PyValue {
  enum class Kind : char {
    kNone = 'N',
    kTrue = 'T',
    kFalse = 'F',
    kInt = 'i',      // text: hexadecimal, "-" before it where negative.
    kFloat = 'f',    // real
    kComplex = 'c',  // real, imaginary
    kStr = 's',      // text: UTF-8, lone surrogates kept.
    kBytes = 'b',    // text
    kList = 'l',
    kTuple = 't',
    kSet = 'S',
    kFrozenSet = 'Z',
    kDict = 'd',   // items: key, value, key, value.
    kOther = 'u',  // text: the name of a type that is none of these.
  };

  Kind kind = Kind::kNone;
  std::string text;
  double real = 0;
  double imaginary = 0;
  std::vector<PyValue> items;
};

// The value under a text `key` of a dictionary; null where there is none.
const PyValue* FindKey(const PyValue& dict, std::string_view key);

PyValue PyStr(std::string_view text);
PyValue PyList(std::vector<PyValue> items);

// One value and nothing behind it. kInvalidArgument: anything else; at most 200
// levels deep.
absl::StatusOr<PyValue> DecodePyValue(std::string_view bytes);

std::string EncodePyValue(const PyValue& value);

// Reads a Python literal, "{'a': (1, 2.5, None)}", and set(), frozenset(...),
// and float('nan') and its like.
absl::StatusOr<PyValue> ParsePyLiteral(std::string_view text);

// Reads JSON: lists, dictionaries of texts, whole numbers of any size.
absl::StatusOr<PyValue> ParsePyJson(std::string_view text);

// How close floats must be.
struct FloatTolerance {
  double absolute = 0;
  double relative = 0;
};

// Whether `x` is `expected` within the tolerance, absolute or relative. NaN is
// NaN.
bool CloseEnough(double x, double expected, const FloatTolerance& tolerance);

// Whether both are of exactly one type, all the way down, and equal. Sets and
// dictionaries have no order.
bool SamePyValue(const PyValue& got, const PyValue& expected,
                 const FloatTolerance& tolerance);

// As Python shows it, cut to `most` bytes. For people.
std::string ShowPyValue(const PyValue& value, size_t most);

}  // namespace cohort
