// Matrix products of model/kernels beside LibTorch's, on one thread: GFLOP/s
// per second of CPU, for the shapes of decoding (few rows) and training (many).
//
//   ninja kernels_bench && model/kernels/kernels_bench
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <torch/types.h>

#include "model/kernels/panels.h"
#include "model/linear.h"
#include "model/ops.h"

namespace cohort {
namespace {

struct Case {
  explicit Case(const benchmark::State& state)
      : m(state.range(0)),
        k(state.range(1)),
        o(state.range(2)),
        x(at::randn({m, k}, at::kFloat)),
        weight(at::randn({o, k}, at::kFloat)) {
    at::set_num_threads(1);
  }

  void Report(benchmark::State& state) const {
    state.counters["GFLOP/s"] =
        benchmark::Counter(2e-9 * static_cast<double>(m * k * o),
                           benchmark::Counter::kIsIterationInvariantRate);
  }

  int64_t m, k, o;
  at::Tensor x, weight;
};

// As training runs it: the weight turned on the way.
void BenchLinear(benchmark::State& state) {
  const Case c(state);
  const c10::InferenceMode inference;
  for (auto _ : state) benchmark::DoNotOptimize(Linear(c.x, c.weight));
  c.Report(state);
}

// As decoding runs it: the weight turned before.
void BenchPanels(benchmark::State& state) {
  const Case c(state);
  at::Tensor panels = at::empty({PanelFloats(c.o, c.k)}, at::kFloat);
  at::Tensor y = at::empty({c.m, c.o}, at::kFloat);
  PackPanels(ConstData(c.weight), c.k, c.o, c.k, Data(panels));
  for (auto _ : state) {
    MultiplyPanels({.m = c.m,
                    .k = c.k,
                    .o = c.o,
                    .x = ConstData(c.x),
                    .x_row = c.k,
                    .panels = ConstData(panels),
                    .y = Data(y),
                    .y_row = c.o,
                    .accumulate = false});
  }
  c.Report(state);
}

void BenchLibTorch(benchmark::State& state) {
  const Case c(state);
  const c10::InferenceMode inference;
  for (auto _ : state) benchmark::DoNotOptimize(c.x.mm(c.weight.t()));
  c.Report(state);
}

void Shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgsProduct(
      {{1, 8, 64, 2048}, {64, 128, 256, 512, 1024}, {64, 128, 256, 512, 1024}});
  bench->ArgNames({"rows", "inputs", "outputs"});
  bench->MinTime(0.02);
}

BENCHMARK(BenchLinear)->Apply(Shapes);
BENCHMARK(BenchPanels)->Apply(Shapes);
BENCHMARK(BenchLibTorch)->Apply(Shapes);

}  // namespace
}  // namespace cohort

BENCHMARK_MAIN();
