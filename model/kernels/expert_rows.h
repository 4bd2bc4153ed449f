// Moving rows between token order and expert order, on the CPU, float32.
#pragma once

#include <cstdint>
#include <vector>

namespace cohort {

// Slots sorted by expert, ascending within each: those of expert e are
// slots[begins[e]] to slots[begins[e + 1] - 1].
struct ExpertOrder {
  std::vector<int64_t> slots;
  std::vector<int64_t> begins;
};

// `choice`: [slots] experts in [0, experts); null puts all slots on expert 0.
ExpertOrder SortByExpert(const int64_t* choice, int64_t slots, int64_t experts);

// to[i, :] = from[slots[i] / per_token, :], i < rows.
void GatherRows(const float* from, int64_t width, const int64_t* slots,
                int64_t rows, int64_t per_token, float* to);

// to[slots[i] / per_token, :] += factor * from[i, :], i < rows; factor is
// factors[slots[i]], or one where `factors` is null.
void AddRows(const float* from, int64_t width, const int64_t* slots,
             int64_t rows, int64_t per_token, const float* factors, float* to);

// out[n, :] = sum_j factors[n, j] from[n * per_token + j, :], j ascending, for
// tokens [begin, end); null factors are one.
void CombineRows(const float* from, int64_t width, int64_t per_token,
                 const float* factors, int64_t begin, int64_t end, float* out);

}  // namespace cohort
