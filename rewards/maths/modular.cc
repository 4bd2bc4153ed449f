#include "rewards/maths/modular.h"

#include <flint/ulong_extras.h>

#include <string_view>

namespace cohort {
namespace {

// The largest prime below 2^61 that is 1 modulo 4, so that i has a value.
constexpr uint64_t kPrime = 2305843009213693921u;
constexpr uint64_t kRootOfMinusOne = 583529827753931384u;
constexpr unsigned long kMaxFactorial = 1000000;
constexpr unsigned long kMaxChosen = 64;

uint64_t Mix(uint64_t x) {  // splitmix64
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

uint64_t HashText(std::string_view text) {
  uint64_t h = 0xCBF29CE484222325u;
  for (const char c : text) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001B3u;
  return Mix(h);
}

uint64_t Multiply(uint64_t a, uint64_t b) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b % kPrime);
}

uint64_t Add(uint64_t a, uint64_t b) {
  const uint64_t sum = a + b;
  return sum >= kPrime ? sum - kPrime : sum;
}

uint64_t Negated(uint64_t a) { return a == 0 ? 0 : kPrime - a; }

uint64_t Inverse(uint64_t a) { return n_invmod(a, kPrime); }

uint64_t PowerOf(uint64_t base, uint64_t exponent) {
  uint64_t power = 1;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) power = Multiply(power, base);
    base = Multiply(base, base);
  }
  return power;
}

uint64_t Reduced(const mpz_class& z, uint64_t modulus) {
  return mpz_fdiv_ui(z.get_mpz_t(), modulus);
}

ModularValue Unknown() {
  ModularValue v;
  v.known = false;
  v.ring = false;
  return v;
}

ModularValue OfRational(const mpq_class& q) {
  const uint64_t below = Reduced(q.get_den(), kPrime);
  if (below == 0) return Unknown();
  const uint64_t value =
      Multiply(Reduced(q.get_num(), kPrime), below == 1 ? 1 : Inverse(below));
  ModularValue v;
  v.at[0] = v.at[1] = value;
  return v;
}

ModularValue OfTag(uint64_t tag) {
  ModularValue v;
  for (int p = 0; p < ModularValue::kPoints; ++p) {
    v.at[p] = Mix(tag + static_cast<uint64_t>(p) * 0x1234567u) % kPrime;
  }
  return v;
}

ModularValue Product(const ModularValue& a, const ModularValue& b) {
  ModularValue v;
  for (int p = 0; p < ModularValue::kPoints; ++p) {
    v.at[p] = Multiply(a.at[p], b.at[p]);
  }
  v.ring = a.ring && b.ring;
  v.known = a.known && b.known;
  return v;
}

ModularValue Quotient(const ModularValue& a, ModularValue b) {
  for (uint64_t& x : b.at) {
    if (x == 0) return Unknown();
    x = Inverse(x);
  }
  return Product(a, b);
}

}  // namespace

ModularValue ModularTable::Opaque(uint64_t tag, int node) const {
  ModularValue v;
  v.ring = false;
  uint64_t h[ModularValue::kPoints];
  for (int p = 0; p < ModularValue::kPoints; ++p) {
    h[p] = Mix(tag * 131 + static_cast<uint64_t>(e_.OpOf(node)));
  }
  for (const int kid : e_.Kids(node)) {
    const ModularValue& value = values_[kid];
    v.known = v.known && value.known;
    for (int p = 0; p < ModularValue::kPoints; ++p) {
      h[p] = Mix(h[p] ^ value.at[p]);
    }
  }
  for (int p = 0; p < ModularValue::kPoints; ++p) v.at[p] = h[p] % kPrime;
  return v;
}

ModularValue ModularTable::Of(int node) {
  const ExactValue& exact = exact_.At(node);
  if (exact.state == ValueState::kRational) return OfRational(exact.value);
  if (exact.state == ValueState::kUndefined) return Unknown();
  ModularValue v;
  switch (e_.OpOf(node)) {
    case Op::kSymbol:
      return OfTag(HashText(e_.Name(node)));
    case Op::kText:
      return OfTag(HashText(e_.Name(node)) + 1);
    case Op::kI:
      v.at[0] = v.at[1] = kRootOfMinusOne;
      return v;
    case Op::kPi:
    case Op::kE:
    case Op::kInfinity:
    case Op::kReals:
    case Op::kEmptySet:
      v = OfTag(HashText("constant") + static_cast<uint64_t>(e_.OpOf(node)));
      v.ring = false;
      return v;
    default:
      return OfOperation(node);
  }
}

ModularValue ModularTable::OfOperation(int node) {
  const auto kids = e_.Kids(node);
  ModularValue v = kids.empty() ? ModularValue() : values_[kids[0]];
  switch (e_.OpOf(node)) {
    case Op::kAdd:
      for (const int kid : kids.subspan(1)) {
        const ModularValue& next = values_[kid];
        for (int p = 0; p < ModularValue::kPoints; ++p) {
          v.at[p] = Add(v.at[p], next.at[p]);
        }
        v.ring = v.ring && next.ring;
        v.known = v.known && next.known;
      }
      return v;
    case Op::kMultiply:
      for (const int kid : kids.subspan(1)) v = Product(v, values_[kid]);
      return v;
    case Op::kNegate:
      for (uint64_t& x : v.at) x = Negated(x);
      return v;
    case Op::kDivide:
      return Quotient(v, values_[kids[1]]);
    case Op::kPercent:
      return Quotient(v, OfRational(100));
    case Op::kDegrees: {
      const ModularValue pi =
          OfTag(HashText("constant") + static_cast<uint64_t>(Op::kPi));
      v = Quotient(Product(v, pi), OfRational(180));
      v.ring = false;
      return v;
    }
    case Op::kPower:
      return Power(node);
    case Op::kFunction:
      return OfFunction(node);
    case Op::kCall:
    case Op::kBased:
    case Op::kQuantity:
    case Op::kChain:
      return Opaque(HashText(e_.Name(node)), node);
    case Op::kFactorial: {
      const ExactValue& n = exact_.At(kids[0]);
      if (n.state == ValueState::kRational && n.value.get_den() == 1 &&
          n.value >= 0 && n.value <= kMaxFactorial) {
        const uint64_t f = n_factorial_fast_mod2_preinv(
            n.value.get_num().get_ui(), kPrime, n_preinvert_limb(kPrime));
        v.at[0] = v.at[1] = f;
        v.ring = true;
        return v;
      }
      return Opaque(1, node);
    }
    default:
      return Opaque(static_cast<uint64_t>(e_.nodes[node].payload), node);
  }
}

ModularValue ModularTable::Power(int node) {
  const int base_node = e_.Kid(node, 0);
  const int exponent_node = e_.Kid(node, 1);
  ModularValue base = values_[base_node];
  const ExactValue& exponent = exact_.At(exponent_node);
  if (exponent.state != ValueState::kRational) return Opaque(2, node);
  if (exponent.value.get_den() != 1) {
    // u^(p/q) is the p-th power of the q-th root.
    const mpz_class& q = exponent.value.get_den();
    uint64_t h[ModularValue::kPoints];
    for (int p = 0; p < ModularValue::kPoints; ++p) {
      h[p] = Mix(Mix(base.at[p]) ^ Reduced(q, kPrime)) % kPrime;
      base.at[p] = h[p];
    }
    base.ring = false;
  }
  const uint64_t e = Reduced(exponent.value.get_num(), kPrime - 1);
  if (exponent.value < 0 && (base.at[0] == 0 || base.at[1] == 0)) {
    return Unknown();
  }
  for (uint64_t& x : base.at) x = PowerOf(x, e);
  return base;
}

ModularValue ModularTable::Binomial(int node) {
  const ExactValue& k = exact_.At(e_.Kid(node, 1));
  if (k.state != ValueState::kRational || k.value.get_den() != 1 ||
      k.value < 0 || k.value > kMaxChosen) {
    return Opaque(4, node);
  }
  ModularValue v = OfRational(1);
  ModularValue n = values_[e_.Kid(node, 0)];
  v.ring = n.ring;
  v.known = n.known;
  const uint64_t minus_one = kPrime - 1;
  for (unsigned long i = 0; i < k.value.get_num().get_ui(); ++i) {
    v = Quotient(Product(v, n), OfRational(i + 1));
    for (uint64_t& x : n.at) x = Add(x, minus_one);
  }
  return v;
}

ModularValue ModularTable::OfFunction(int node) {
  const auto function = static_cast<Function>(e_.nodes[node].payload);
  const auto tag = [](Function f) { return 16 + static_cast<uint64_t>(f); };
  const auto of = [&](Function f) { return Opaque(tag(f), node); };
  const ModularValue one = OfRational(1);
  switch (function) {
    case Function::kTan:
      return Quotient(of(Function::kSin), of(Function::kCos));
    case Function::kCot:
      return Quotient(of(Function::kCos), of(Function::kSin));
    case Function::kSec:
      return Quotient(one, of(Function::kCos));
    case Function::kCsc:
      return Quotient(one, of(Function::kSin));
    case Function::kBinomial:
      return Binomial(node);
    case Function::kLog:
      if (e_.nodes[node].count == 2) return Opaque(tag(function), node);
      return of(Function::kLn);
    case Function::kMin:
    case Function::kMax:
    case Function::kGcd:
    case Function::kLcm: {
      // The order of the arguments says nothing: their hashes are added up.
      ModularValue sum = OfTag(tag(function));
      sum.ring = false;
      for (const int kid : e_.Kids(node)) {
        const ModularValue& value = values_[kid];
        sum.known = sum.known && value.known;
        for (int p = 0; p < ModularValue::kPoints; ++p) {
          sum.at[p] = Add(sum.at[p], Mix(value.at[p] ^ tag(function)) % kPrime);
        }
      }
      return sum;
    }
    default:
      return of(function);
  }
}

}  // namespace cohort
