#include "model/stored_values.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/float_formats.h"
#include "model/fp8.h"
#include "proto/check.h"

namespace cohort {
namespace {

// Bytes of the file read before its pages are given back.
constexpr int64_t kPieceBytes = int64_t{4} << 20;
// Between counts of what is not finite, which are 32 bits wide in the loop.
constexpr int64_t kRun = int64_t{1} << 20;

template <typename As, typename Source, float (*decode)(Source)>
int64_t ConvertRun(const char* __restrict from, int64_t count,
                   typename As::Type* __restrict to) {
  int32_t not_finite = 0;
  for (int64_t i = 0; i < count; ++i) {
    Source source;
    std::memcpy(&source, from + i * static_cast<int64_t>(sizeof(Source)),
                sizeof(Source));
    const auto value = As::Round(decode(source));
    to[i] = value;
    not_finite += As::IsFinite(value) ? 0 : 1;
  }
  return not_finite;
}

float Same(float value) { return value; }

template <typename As>
int64_t ConvertTo(Dtype dtype, const char* from, int64_t count, void* target) {
  auto* const to = static_cast<typename As::Type*>(target);
  int64_t not_finite = 0;
  for (int64_t begin = 0; begin < count; begin += kRun) {
    const char* const source = from + begin * DtypeBytes(dtype);
    const int64_t run = std::min(kRun, count - begin);
    switch (dtype) {
      case Dtype::kF32:
        not_finite += ConvertRun<As, float, Same>(source, run, to + begin);
        break;
      case Dtype::kBf16:
        not_finite +=
            ConvertRun<As, uint16_t, DecodeBf16>(source, run, to + begin);
        break;
      case Dtype::kF16:
        not_finite +=
            ConvertRun<As, uint16_t, DecodeHalf>(source, run, to + begin);
        break;
      default:
        COHORT_CHECK(dtype == Dtype::kF8E8M0);
        not_finite +=
            ConvertRun<As, uint8_t, DecodeE8M0>(source, run, to + begin);
    }
  }
  return not_finite;
}

int64_t Convert(Dtype dtype, const char* from, int64_t count, Dtype to,
                void* target) {
  if (to == Dtype::kF32) return ConvertTo<AsFloat>(dtype, from, count, target);
  COHORT_CHECK(to == Dtype::kBf16);
  return ConvertTo<AsBf16>(dtype, from, count, target);
}

// Part of a copy: rows [begin, end) of an FP8 matrix, else values.
struct Piece {
  WeightCopy* copy;
  int64_t begin;
  int64_t end;
};

// Values of `from` that lie together in one step of a piece.
int64_t StepOf(const WeightCopy& copy) {
  return copy.from->dtype == Dtype::kF8E4M3 ? copy.from->shape[1] : 1;
}

void AppendPieces(WeightCopy* copy, std::vector<Piece>* pieces) {
  const int64_t step = StepOf(*copy);
  if (copy->from->Elements() == 0) return;
  const int64_t count = copy->from->Elements() / step;
  const int64_t most = std::max<int64_t>(
      1, kPieceBytes / (step * DtypeBytes(copy->from->dtype)));
  for (int64_t begin = 0; begin < count; begin += most) {
    pieces->push_back({copy, begin, std::min(begin + most, count)});
  }
}

int64_t DequantisePiece(const Piece& piece, void* target) {
  const WeightCopy& copy = *piece.copy;
  // The rows of scales that this piece meets, as a matrix of its own.
  const int64_t grid_columns = copy.scales->shape[1];
  const int64_t first = piece.begin / copy.block_rows;
  const int64_t last = (piece.end - 1) / copy.block_rows;
  std::vector<float> scales(
      static_cast<size_t>((last - first + 1) * grid_columns));
  const Dtype stored = copy.scales->dtype;
  Convert(stored,
          copy.scales->bytes.data() + first * grid_columns * DtypeBytes(stored),
          static_cast<int64_t>(scales.size()), Dtype::kF32, scales.data());
  const int64_t columns = copy.from->shape[1];
  const int64_t above = first * copy.block_rows;  // Rows that are left out.
  const Fp8Matrix matrix{
      .codes = reinterpret_cast<const uint8_t*>(copy.from->bytes.data()) +
               above * columns,
      .scales = scales.data(),
      .rows = copy.from->shape[0] - above,
      .columns = columns,
      .block_rows = copy.block_rows,
      .block_columns = copy.block_columns};
  return DequantiseRows(matrix, piece.begin - above, piece.end - above, copy.to,
                        target);
}

void CopyPiece(const Piece& piece) {
  WeightCopy& copy = *piece.copy;
  const int64_t step = StepOf(copy);
  const int64_t width = DtypeBytes(copy.from->dtype);
  char* const target = static_cast<char*>(copy.target) +
                       piece.begin * step * DtypeBytes(copy.to);
  const std::string_view bytes = copy.from->bytes.substr(
      static_cast<size_t>(piece.begin * step * width),
      static_cast<size_t>((piece.end - piece.begin) * step * width));
  const int64_t not_finite =
      copy.scales != nullptr
          ? DequantisePiece(piece, target)
          : Convert(copy.from->dtype, bytes.data(), piece.end - piece.begin,
                    copy.to, target);
  std::atomic_ref<int64_t>(copy.not_finite).fetch_add(not_finite);
  copy.file->GiveBack(bytes);
}

// Memory that is written for the first time costs a fault per page: large pages
// make that 1 in 512.
void AdviseLargePages(void* target, int64_t bytes) {
  constexpr uintptr_t kLarge = uintptr_t{2} << 20;
  const uintptr_t begin =
      (reinterpret_cast<uintptr_t>(target) + kLarge - 1) & ~(kLarge - 1);
  const uintptr_t end =
      (reinterpret_cast<uintptr_t>(target) + static_cast<uintptr_t>(bytes)) &
      ~(kLarge - 1);
  if (begin >= end) return;
  // Advice: where it is not taken, pages are small.
  (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

}  // namespace

bool IsConvertible(Dtype dtype) {
  return dtype == Dtype::kF32 || dtype == Dtype::kBf16 ||
         dtype == Dtype::kF16 || dtype == Dtype::kF8E8M0;
}

absl::StatusOr<int64_t> ConvertTensor(const StoredTensor& tensor, Dtype to,
                                      void* target) {
  if (!IsConvertible(tensor.dtype)) {
    return absl::UnimplementedError(absl::StrCat(
        tensor.name, ": weights of dtype ",
        std::string(DtypeName(tensor.dtype)), " are not supported"));
  }
  return Convert(tensor.dtype, tensor.bytes.data(), tensor.Elements(), to,
                 target);
}

void CopyWeights(absl::Span<WeightCopy> copies, int threads) {
  std::vector<Piece> pieces;
  for (WeightCopy& copy : copies) {
    copy.not_finite = 0;
    AdviseLargePages(copy.target, copy.from->Elements() * DtypeBytes(copy.to));
    AppendPieces(&copy, &pieces);
  }
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < pieces.size(); i = next++) {
      CopyPiece(pieces[i]);
    }
  };
  std::vector<std::jthread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work);
  work();
}

}  // namespace cohort
