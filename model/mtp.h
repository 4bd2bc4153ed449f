// The multi-token prediction head: predicts one token further ahead than the
// model. Row i of a sequence joins the model's hidden state of token i, behind
// the final norm, with the embedding of token i + 1, runs one more layer over
// the rows and predicts token i + 2 through the model's own output head.
//
// Source: DeepSeek-V3 (arXiv:2412.19437), section 2.2. Equation 21 prints the
// hidden state before the embedding; the released eh_proj wants the embedding
// first, and the hidden state behind the final norm, as vLLM, SGLang and
// transformers (MtpModel) read it.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/transformer.h"

namespace cohort {

// What the head reads of a packed batch of N rows: M of them have a successor.
struct MtpBatch {
  PackedTokens next;  // [M]: the tokens after these rows, with the rows'
                      // positions; sequences of one token are left out
  at::Tensor rows;    // [M] int64, the rows of N
};

MtpBatch ShiftByOne(const PackedTokens& batch);

}  // namespace cohort
