// How fast and in how much memory a folder's weights are loaded.
//
//   load_bench FOLDER [float32|bfloat16] [THREADS]
//
// Prints one JSON line: bytes of the files, gigabytes (1e9) of them per second
// and CPU-second, bytes of the weights in memory, and the peak resident memory
// of this process, whole and above what it had before, over them. The peak is
// the kernel's VmHWM: load one folder per process.
#include <ATen/Parallel.h>
#include <torch/types.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

#include "model/checkpoint.h"

namespace cohort {
namespace {

// A line of /proc/self/status, in bytes.
double StatusBytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    double kilobytes = 0;
    if (word == key && status >> kilobytes) return 1024 * kilobytes;
  }
  return 0;
}

double WeightFileBytes(const std::string& folder) {
  double bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") {
      bytes += static_cast<double>(entry.file_size());
    }
  }
  return bytes;
}

int Run(const std::string& folder, at::ScalarType dtype) {
  const auto config = LoadModelConfig(folder);
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", config.status().ToString().c_str());
    return 1;
  }
  auto model = Transformer::Create(*config, dtype, at::kCPU);
  if (!model.ok()) return 1;
  const double before = StatusBytes("VmRSS:");
  const std::clock_t cpu_start = std::clock();
  const auto start = std::chrono::steady_clock::now();
  const absl::Status loaded = LoadWeights(folder, model->get());
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  const double cpu_seconds =
      static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  if (!loaded.ok()) {
    std::fprintf(stderr, "%s\n", loaded.ToString().c_str());
    return 1;
  }
  double weights = 0;
  for (const NamedTensor& view : (*model)->HfTensors()) {
    weights += static_cast<double>(view.tensor.nbytes());
  }
  const double peak = StatusBytes("VmHWM:");
  const double bytes = WeightFileBytes(folder);
  std::printf(
      "{\"file_bytes\": %.0f, \"seconds\": %.3f, \"gb_per_s\": %.3f, "
      "\"gb_per_cpu_s\": %.3f, "
      "\"weight_bytes\": %.0f, \"peak_ratio\": %.4f, "
      "\"peak_ratio_above_start\": %.4f}\n",
      bytes, seconds, bytes / seconds / 1e9, bytes / cpu_seconds / 1e9, weights,
      peak / weights, (peak - before) / weights);
  return 0;
}

}  // namespace
}  // namespace cohort

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: load_bench FOLDER [DTYPE] [THREADS]\n");
    return 2;
  }
  const std::string dtype = argc > 2 ? argv[2] : "float32";
  at::set_num_threads(argc > 3 ? std::atoi(argv[3]) : 2);
  return cohort::Run(argv[1], dtype == "bfloat16" ? at::kBFloat16 : at::kFloat);
}
