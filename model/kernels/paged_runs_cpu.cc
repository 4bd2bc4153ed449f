#include <algorithm>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "model/kernels/gemm.h"
#include "model/kernels/paged_runs.h"
#include "model/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/paged_runs_cpu.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "model/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {
namespace {

// The columns of `scores` [tokens, columns] become their softmax under `scale`;
// row t is at scores + t * row. Lanes are heads: sums run over tokens, in
// ascending order, at any vector width.
void SoftmaxColumns(float* HWY_RESTRICT scores, int64_t tokens, int64_t columns,
                    int64_t row, float scale) {
  const Eight d;
  const auto factor = hn::Set(d, scale);
  ForLanes(d, columns, [&](int64_t i, int64_t count) HWY_ATTR {
    float* const first = scores + i;
    auto most = LoadPart(d, first, count);
    for (int64_t t = 1; t < tokens; ++t) {
      most = hn::Max(most, LoadPart(d, first + t * row, count));
    }
    auto sum = hn::Zero(d);
    for (int64_t t = 0; t < tokens; ++t) {
      const auto score = LoadPart(d, first + t * row, count);
      const auto power = ExpOf(d, hn::Mul(hn::Sub(score, most), factor));
      sum = hn::Add(sum, power);
      StorePart(power, d, first + t * row, count);
    }
    const auto inverse = hn::Div(hn::Set(d, 1.0f), sum);
    for (int64_t t = 0; t < tokens; ++t) {
      const auto power = LoadPart(d, first + t * row, count);
      StorePart(hn::Mul(power, inverse), d, first + t * row, count);
    }
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cohort {
namespace {

HWY_EXPORT(SoftmaxColumns);

constexpr int64_t kMostScores = 64 << 10;  // Of one run: 256 KB.
constexpr int64_t kMostSequences = 8;

using Buffer = hwy::AlignedFreeUniquePtr<float[]>;

// Sequences [begin, begin + count), whose first `shared` blocks are the same
// and full.
struct Run {
  int64_t begin;
  int64_t count;
  int64_t shared;
};

const int32_t* TableOf(const PagedAttentionParams& p, int64_t b) {
  return p.tables + b * p.table_row;
}

// Full blocks that two sequences have in common at their beginning.
int64_t CommonBlocks(const PagedAttentionParams& p, int64_t a, int64_t b) {
  const int64_t most = std::min(p.context[a], p.context[b]) / p.block_tokens;
  int64_t count = 0;
  while (count < most && TableOf(p, a)[count] == TableOf(p, b)[count]) ++count;
  return count;
}

// The run that begins with sequence b.
Run RunFrom(const PagedAttentionParams& p, int64_t b) {
  Run run = {.begin = b, .count = 1, .shared = 0};
  if (p.selected != nullptr || b + 1 == p.batch) return run;
  run.shared = CommonBlocks(p, b, b + 1);
  int64_t longest = p.context[b];
  while (run.shared > 0 && run.count < kMostSequences &&
         b + run.count < p.batch) {
    const int64_t next = b + run.count;
    longest = std::max<int64_t>(longest, p.context[next]);
    if (CommonBlocks(p, b, next) < run.shared ||
        (run.count + 1) * longest * p.heads / p.kv_heads > kMostScores) {
      break;
    }
    ++run.count;
  }
  return run;
}

// One kv head of one run.
class RunHead {
 public:
  RunHead(const PagedAttentionParams& params, const Run& run, int64_t kv_head,
          float* out)
      : p_(params),
        run_(run),
        kv_head_(kv_head),
        heads_(p_.heads / p_.kv_heads),
        columns_(run.count * heads_),
        out_(out) {}

  void Compute() {
    int64_t longest = 0;
    for (int64_t s = 0; s < run_.count; ++s) {
      longest = std::max(longest, TokensOf(s));
    }
    queries_ = Floats(p_.key_width * columns_);
    scores_ = Floats(longest * columns_);
    for (int64_t s = 0; s < run_.count; ++s) {
      Transpose(p_.q + FirstHead(s) * p_.key_width, p_.key_width, heads_,
                p_.key_width, queries_.get() + s * heads_, columns_);
    }
    ForStretches([this](const Stretch& stretch) { Score(stretch); });
    for (int64_t s = 0; s < run_.count; ++s) {
      HWY_DYNAMIC_DISPATCH(SoftmaxColumns)
      (scores_.get() + s * heads_, TokensOf(s), heads_, columns_, p_.scale);
    }
    ForStretches([this](const Stretch& stretch) { Mix(stretch); });
  }

 private:
  // Tokens [first, first + count) of sequences [begin, begin + sequences) of
  // the run, whose rows lie one after the other in the cache.
  struct Stretch {
    const float* rows;
    int64_t first;
    int64_t count;
    int64_t begin;
    int64_t sequences;
  };

  static Buffer Floats(int64_t count) {
    return hwy::AllocateAligned<float>(
        static_cast<size_t>(std::max<int64_t>(count, 1)));
  }

  // The sequence's first head of this kv head, among all heads of the batch.
  int64_t FirstHead(int64_t s) const {
    return (run_.begin + s) * p_.heads + kv_head_ * heads_;
  }

  const int32_t* Selected(int64_t s) const {
    return p_.selected + (run_.begin + s) * p_.selected_row;
  }

  int64_t TokensOf(int64_t s) const {
    if (p_.selected == nullptr) return p_.context[run_.begin + s];
    int64_t count = 0;
    while (count < p_.selected_row && Selected(s)[count] >= 0) ++count;
    return count;
  }

  // Rows that are neighbours because they lie in one block, or one row where
  // tokens are selected.
  struct Piece {
    const float* rows;
    int64_t count;
  };

  // What the sequence attends to from its token `first` on, up to `end`.
  Piece PieceAt(int64_t s, int64_t first, int64_t end) const {
    const bool all = p_.selected == nullptr;
    const int64_t token = all ? first : Selected(s)[first];
    const int64_t block = TableOf(p_, run_.begin + s)[token / p_.block_tokens];
    const int64_t place = token % p_.block_tokens;
    return {.rows = p_.cache + (block * p_.block_tokens + place) * p_.row,
            .count = all ? std::min(p_.block_tokens - place, end - first) : 1};
  }

  // Calls `use` for all tokens of all sequences, ascending for each.
  template <typename Use>
  void ForStretches(const Use& use) const {
    const int64_t shared = run_.shared * p_.block_tokens;
    ForBlocks({.rows = nullptr,
               .first = 0,
               .count = shared,
               .begin = 0,
               .sequences = run_.count},
              use);
    for (int64_t s = 0; s < run_.count; ++s) {
      ForBlocks({.rows = nullptr,
                 .first = shared,
                 .count = TokensOf(s) - shared,
                 .begin = s,
                 .sequences = 1},
                use);
    }
  }

  // Splits `all` where its rows stop to be neighbours.
  template <typename Use>
  void ForBlocks(const Stretch& all, const Use& use) const {
    const int64_t end = all.first + all.count;
    Stretch part = all;
    while (part.first < end) {
      const Piece piece = PieceAt(all.begin, part.first, end);
      part.rows = piece.rows;
      part.count = piece.count;
      while (part.first + part.count < end) {
        const Piece next = PieceAt(all.begin, part.first + part.count, end);
        if (next.rows != part.rows + part.count * p_.row) break;
        part.count += next.count;
      }
      use(part);
      part.first += part.count;
    }
  }

  void Score(const Stretch& stretch) {
    Gemm(
        {.m = stretch.count,
         .n = stretch.sequences * heads_,
         .k = p_.key_width,
         .a = stretch.rows + kv_head_ * p_.key_width,
         .a_row = p_.row,
         .a_col = 1,
         .b = queries_.get() + stretch.begin * heads_,
         .b_row = columns_,
         .c = scores_.get() + stretch.first * columns_ + stretch.begin * heads_,
         .c_row = columns_,
         .accumulate = false});
  }

  void Mix(const Stretch& stretch) {
    // The heads of neighbouring sequences lie evenly where there is one kv
    // head.
    const bool even = p_.kv_heads == 1;
    const int64_t parts = even ? 1 : stretch.sequences;
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t s = stretch.begin + part;
      Gemm({.m = even ? stretch.sequences * heads_ : heads_,
            .n = p_.value_width,
            .k = stretch.count,
            .a = scores_.get() + stretch.first * columns_ + s * heads_,
            .a_row = 1,
            .a_col = columns_,
            .b = stretch.rows + p_.value_at + kv_head_ * p_.value_width,
            .b_row = p_.row,
            .c = out_ + FirstHead(s) * p_.value_width,
            .c_row = p_.value_width,
            .accumulate = stretch.first > 0});
    }
  }

  const PagedAttentionParams& p_;
  const Run run_;
  const int64_t kv_head_;
  const int64_t heads_;    // Of this kv head.
  const int64_t columns_;  // Of all sequences.
  float* const out_;
  Buffer queries_;  // [key_width, columns]
  Buffer scores_;   // [tokens, columns], then their softmax
};

}  // namespace

void PagedRuns(const PagedAttentionParams& params, float* out) {
  for (int64_t b = 0; b < params.batch;) {
    const Run run = RunFrom(params, b);
    for (int64_t g = 0; g < params.kv_heads; ++g) {
      RunHead(params, run, g, out).Compute();
    }
    b += run.count;
  }
}

}  // namespace cohort
#endif  // HWY_ONCE
