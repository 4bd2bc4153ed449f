#include "learner/training_library.h"

#include <dlfcn.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cohort {

absl::StatusOr<const TrainingLibrary*> LoadTrainingLibrary() {
  // Found by this program's own search path; what it brings serves the
  // libraries of a GPU, which are loaded later, too.
  void* const library =
      dlopen("libcohort_training.so", RTLD_LAZY | RTLD_GLOBAL);
  if (library == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot load the training library: ", dlerror()));
  }
  const auto entry = reinterpret_cast<TrainingLibraryEntry>(
      dlsym(library, kTrainingLibraryEntry));
  if (entry == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("libcohort_training.so is of another build: ", dlerror()));
  }
  return entry();
}

}  // namespace cohort
