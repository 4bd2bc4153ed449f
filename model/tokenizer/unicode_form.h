// The normal forms NFC, NFD, NFKC and NFKD.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "model/tokenizer/normalizer.h"

namespace cohort {

// `form`: "NFC", ... Characters that Unicode assigned after version 9 are left
// alone, as in the tokenizers library.
absl::StatusOr<std::unique_ptr<Normalizer>> MakeUnicodeForm(
    std::string_view form);

}  // namespace cohort
