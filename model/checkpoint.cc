#include "model/checkpoint.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/guard.h"
#include "model/stored_values.h"
#include "model/weight_folder.h"
#include "proto/log.h"
#include "proto/status.h"

namespace cohort {
namespace {

// More only wait for memory.
constexpr int kMostThreads = 4;

// Tensors that folders carry and this model does without: copies of what it
// has, and tables that old files hold.
bool IsIgnored(const std::string& name, const ModelConfig& config) {
  if (absl::EndsWith(name, "rotary_emb.inv_freq")) return true;
  if (config.tie_word_embeddings && name == "lm_head.weight") return true;
  const std::string mtp =
      absl::StrCat("model.layers.", config.num_hidden_layers, ".");
  return config.num_nextn_predict_layers > 0 &&
         (name == mtp + "embed_tokens.weight" ||
          name == mtp + "shared_head.head.weight");
}

std::string ShapeText(at::IntArrayRef shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

// Finds what each of the model's tensors is filled from.
class LoadPlan {
 public:
  LoadPlan(const WeightFolder& folder, const ModelConfig& config)
      : folder_(folder), config_(config), problems_(folder.problems()) {}

  void Add(const NamedTensor& view) {
    used_.insert(view.name);
    const auto it = folder_.tensors().find(view.name);
    if (it == folder_.tensors().end()) {
      problems_.Add("missing", view.name);
      return;
    }
    const StoredTensor& stored = *it->second.tensor;
    if (!HasShape(stored, view.tensor.sizes())) return;
    WeightCopy copy = {.file = it->second.file,
                       .from = &stored,
                       .scales = nullptr,
                       .block_rows = config_.fp8_block_rows,
                       .block_columns = config_.fp8_block_columns,
                       .to = Dtype::kF32,
                       .target = nullptr};
    if (stored.dtype == Dtype::kF8E4M3) {
      copy.scales = FindScales(stored);
      if (copy.scales == nullptr) return;
    } else if (!IsConvertible(stored.dtype)) {
      problems_.Add("unsupported dtype",
                    absl::StrCat(view.name, " is ",
                                 std::string(DtypeName(stored.dtype))));
      return;
    }
    copies_.push_back({copy, view.tensor});
  }

  // After all were added: what the folder has beside them.
  void CheckUnexpected() {
    for (const auto& [name, found] : folder_.tensors()) {
      if (!used_.contains(name) && !IsIgnored(name, config_)) {
        problems_.Add("unexpected", name);
      }
    }
  }

  const WeightProblems& problems() const { return problems_; }

  struct Copy {
    WeightCopy weight;
    at::Tensor view;
  };
  // In the order in which the files hold them.
  std::vector<Copy> TakeCopies() {
    std::sort(copies_.begin(), copies_.end(), [](const Copy& a, const Copy& b) {
      return a.weight.from->bytes.data() < b.weight.from->bytes.data();
    });
    return std::move(copies_);
  }

 private:
  bool HasShape(const StoredTensor& stored, at::IntArrayRef wanted) {
    if (at::IntArrayRef(stored.shape) == wanted) return true;
    problems_.Add("wrong shape",
                  absl::StrCat(stored.name, " is ", ShapeText(stored.shape),
                               ", the config makes ", ShapeText(wanted)));
    return false;
  }

  // Null, with the problem noted, where the scales cannot be used.
  const StoredTensor* FindScales(const StoredTensor& stored) {
    const std::string name = absl::StrCat(stored.name, "_scale_inv");
    used_.insert(name);
    if (config_.fp8_block_rows == 0) {
      problems_.Add("FP8, but the config has no quantization_config",
                    stored.name);
      return nullptr;
    }
    const auto it = folder_.tensors().find(name);
    if (it == folder_.tensors().end()) {
      problems_.Add("missing", name);
      return nullptr;
    }
    const StoredTensor* const scales = it->second.tensor;
    if (stored.shape.size() != 2 || !IsConvertible(scales->dtype)) {
      problems_.Add("unsupported dtype",
                    absl::StrCat(stored.name, " is FP8 with scales of ",
                                 std::string(DtypeName(scales->dtype)), " and ",
                                 stored.shape.size(), " dimensions"));
      return nullptr;
    }
    const auto blocks = [](int64_t size, int64_t block) {
      return (size + block - 1) / block;
    };
    const bool fits =
        HasShape(*scales, {blocks(stored.shape[0], config_.fp8_block_rows),
                           blocks(stored.shape[1], config_.fp8_block_columns)});
    return fits ? scales : nullptr;
  }

  const WeightFolder& folder_;
  const ModelConfig& config_;
  WeightProblems problems_;
  std::set<std::string> used_;
  std::vector<Copy> copies_;
};

bool IsWrittenInPlace(const at::Tensor& view) {
  return view.is_cpu() && view.is_contiguous() &&
         (view.scalar_type() == at::kFloat ||
          view.scalar_type() == at::kBFloat16);
}

Dtype DtypeFor(const at::Tensor& view) {
  return view.scalar_type() == at::kBFloat16 ? Dtype::kBf16 : Dtype::kF32;
}

// Tensors on a device, through one tensor's worth of the CPU's memory.
void CopyThroughCpu(LoadPlan::Copy* copy, int threads) {
  const at::Tensor staged = at::empty(
      copy->view.sizes(),
      copy->view.scalar_type() == at::kBFloat16 ? at::kBFloat16 : at::kFloat);
  copy->weight.to = DtypeFor(staged);
  copy->weight.target = staged.mutable_data_ptr();
  CopyWeights(absl::MakeSpan(&copy->weight, 1), threads);
  copy->view.copy_(staged);
}

void RunCopies(std::vector<LoadPlan::Copy>* copies) {
  const at::NoGradGuard no_grad;
  const int threads = std::clamp(at::get_num_threads(), 1, kMostThreads);
  std::vector<WeightCopy> in_place;
  std::vector<size_t> places;
  for (size_t i = 0; i < copies->size(); ++i) {
    LoadPlan::Copy& copy = (*copies)[i];
    if (!IsWrittenInPlace(copy.view)) {
      CopyThroughCpu(&copy, threads);
      continue;
    }
    copy.weight.to = DtypeFor(copy.view);
    copy.weight.target = copy.view.mutable_data_ptr();
    in_place.push_back(copy.weight);
    places.push_back(i);
  }
  CopyWeights(absl::MakeSpan(in_place), threads);
  for (size_t i = 0; i < places.size(); ++i) {
    (*copies)[places[i]].weight.not_finite = in_place[i].not_finite;
  }
}

absl::Status CheckFinite(const std::vector<LoadPlan::Copy>& copies,
                         const std::string& folder,
                         const LoadOptions& options) {
  WeightProblems problems;
  int64_t total = 0;
  for (const LoadPlan::Copy& copy : copies) {
    const int64_t count = copy.weight.not_finite;
    if (count == 0) continue;
    total += count;
    problems.Add("not finite",
                 absl::StrCat(copy.weight.from->name, " (", count, " of ",
                              copy.weight.from->Elements(), ")"));
  }
  if (!options.allow_nonfinite || total == 0) return problems.ToStatus(folder);
  COHORT_LOG(WARNING) << problems.ToStatus(folder).message()
                      << " weights_not_finite=" << total;
  return absl::OkStatus();
}

}  // namespace

absl::Status LoadWeights(const std::string& folder, Transformer* model,
                         const LoadOptions& options) {
  COHORT_ASSIGN_OR_RETURN(const WeightFolder stored,
                          WeightFolder::Open(folder));
  LoadPlan plan(stored, model->config());
  for (const NamedTensor& view : model->HfTensors()) plan.Add(view);
  plan.CheckUnexpected();
  COHORT_RETURN_IF_ERROR(plan.problems().ToStatus(folder));
  std::vector<LoadPlan::Copy> copies = plan.TakeCopies();
  const absl::Status copied = GuardTorch([&] { RunCopies(&copies); });
  model->WeightsChanged();
  COHORT_RETURN_IF_ERROR(copied);
  return CheckFinite(copies, folder, options);
}

}  // namespace cohort
