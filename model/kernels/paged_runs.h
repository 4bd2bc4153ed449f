// PagedAttention where many heads share one kv head, as in MLA's absorbed form:
// scores and mixtures are matrix products over a block's tokens. Sequences that
// begin with the same blocks, as the completions of one prompt do, are computed
// together for as long as the blocks are the same.
//
// One result for one row: each score is one chain over the key's width, each
// output one chain over the tokens, whatever runs with it.
#pragma once

#include "model/kernels/paged_attention.h"

namespace cohort {

// As PagedAttention, one thread.
void PagedRuns(const PagedAttentionParams& params, float* out);

}  // namespace cohort
