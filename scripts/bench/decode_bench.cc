// Speed of prefill and cached decoding of one model, without sampling.
//
//   decode_bench CONFIG.json [SEQUENCES] [PROMPT] [NEW] [THREADS] [SKEWED]
//
// Prints one JSON line: tokens per CPU-second and per wall second, medians of
// five rounds, new weights in float32. SKEWED 1 sends nearly every token to the
// same experts.
#include <ATen/Parallel.h>
#include <time.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <numeric>

#include "model/kv_cache.h"
#include "model/transformer.h"

namespace cohort {
namespace {

double Seconds(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

struct Span {
  double cpu = Seconds(CLOCK_PROCESS_CPUTIME_ID);
  double wall = Seconds(CLOCK_MONOTONIC);

  Span Since() const {
    Span now;
    now.cpu -= cpu;
    now.wall -= wall;
    return now;
  }
};

struct Round {
  Span prefill;
  Span decode;
};

struct Shape {
  int64_t sequences = 64;
  int64_t prompt = 32;
  int64_t fresh = 64;
};

constexpr int64_t kBlockTokens = 16;

Round RunRound(const Transformer& model, const Shape& shape, KvCache* cache) {
  const int64_t vocabulary = model.config().vocab_size;
  const int64_t width =
      (shape.prompt + shape.fresh + kBlockTokens - 1) / kBlockTokens;
  const at::Tensor tables =
      at::arange(shape.sequences * width, at::kInt).view({-1, width});
  std::vector<std::vector<int32_t>> prompts;
  std::vector<int64_t> slots;
  for (int64_t s = 0; s < shape.sequences; ++s) {
    prompts.emplace_back();
    for (int64_t t = 0; t < shape.prompt; ++t) {
      prompts.back().push_back(
          static_cast<int32_t>((s * 31 + t * 7 + t * t) % vocabulary));
      slots.push_back(s * width * kBlockTokens + t);
    }
  }
  const PackedTokens packed = PackSequences(prompts, at::kCPU);
  const at::Tensor places = at::tensor(slots, at::kLong);
  Round round;
  const Span before_prefill;
  SampleResult result = model.Prefill(packed, places, cache);
  round.prefill = before_prefill.Since();
  const Span before_decode;
  for (int64_t t = 0; t < shape.fresh; ++t) {
    result =
        model.Decode(result.logits.argmax(-1),
                     at::full({shape.sequences}, shape.prompt + t, at::kLong),
                     tables, cache);
  }
  round.decode = before_decode.Since();
  return round;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Main(int count, char** arguments) {
  const auto number = [&](int i, int64_t absent) {
    return i < count ? std::strtoll(arguments[i], nullptr, 10) : absent;
  };
  if (count < 2) {
    std::fprintf(stderr,
                 "usage: decode_bench CONFIG.json [SEQUENCES] [PROMPT] "
                 "[NEW] [THREADS] [SKEWED]\n");
    return 2;
  }
  std::ifstream file(arguments[1]);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto config = ParseModelConfig(text, arguments[1]);
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", config.status().ToString().c_str());
    return 1;
  }
  const Shape shape{number(2, 64), number(3, 32), number(4, 64)};
  at::set_num_threads(static_cast<int>(number(5, 1)));
  const auto model = Transformer::Create(*config, at::kFloat, at::kCPU);
  if (!model.ok()) return 1;
  (*model)->Initialise("fan_in", 0.5, 1);
  if (number(6, 0) != 0) {
    for (const at::Tensor& bias : (*model)->CorrectionBiases()) {
      bias.copy_(at::linspace(4, 0, bias.size(0)));
    }
  }
  const int64_t blocks =
      shape.sequences *
      ((shape.prompt + shape.fresh + kBlockTokens - 1) / kBlockTokens);
  auto cache =
      KvCache::Create(*config, blocks, kBlockTokens, at::kFloat, at::kCPU);
  if (!cache.ok()) return 1;
  RunRound(**model, shape, &*cache);
  std::vector<double> prefill_cpu, decode_cpu, decode_wall;
  for (int i = 0; i < 5; ++i) {
    const Round round = RunRound(**model, shape, &*cache);
    prefill_cpu.push_back(round.prefill.cpu);
    decode_cpu.push_back(round.decode.cpu);
    decode_wall.push_back(round.decode.wall);
  }
  const double fresh = static_cast<double>(shape.sequences * shape.fresh);
  std::printf(
      "{\"sequences\": %lld, \"prompt\": %lld, \"new\": %lld, \"threads\": %d, "
      "\"prefill_tokens_per_cpu_s\": %.0f, \"decode_tokens_per_cpu_s\": %.0f, "
      "\"decode_tokens_per_s\": %.0f, \"decode_step_cpu_ms\": %.3f}\n",
      static_cast<long long>(shape.sequences),
      static_cast<long long>(shape.prompt), static_cast<long long>(shape.fresh),
      at::get_num_threads(),
      static_cast<double>(shape.sequences * shape.prompt) / Median(prefill_cpu),
      fresh / Median(decode_cpu), fresh / Median(decode_wall),
      1e3 * Median(decode_cpu) / static_cast<double>(shape.fresh));
  return 0;
}

}  // namespace
}  // namespace cohort

int main(int count, char** arguments) { return cohort::Main(count, arguments); }
