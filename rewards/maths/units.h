// Units of measure behind numbers.
#pragma once

#include <gmpxx.h>

#include <string>
#include <string_view>

namespace cohort {

// What a unit measures and how much of it, in the first unit of its kind.
struct Unit {
  std::string_view kind;  // "length", "time", ...; "count" for apples.
  const char* factor;     // A fraction, as mpq_class reads it.
};

// "cm", "meters", "square feet" is not one; null for an unknown word. Single
// letters are not units here.
const Unit* FindUnit(std::string_view word);

// Single letters that are units where nothing else can be meant: m, s, g, J.
const Unit* FindLetterUnit(std::string_view letter);

// A unit as text ("square cm", "km/h", "m^2") in one spelling: words of its
// units in the singular, sorted, with powers. "" where it says nothing
// ("units", "of the cake").
std::string PlainUnit(std::string_view text);

// What a plain unit measures, as a product of kinds with powers, and its size.
// False where a word is not known.
bool MeasureUnit(const std::string& plain, std::string* kinds, mpq_class* size);

}  // namespace cohort
