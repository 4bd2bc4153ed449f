#include "rollout/block_manager.h"

#include <algorithm>

#include "proto/check.h"

namespace cohort {

BlockManager::BlockManager(int64_t blocks, int64_t block_tokens)
    : block_tokens_(block_tokens), uses_(static_cast<size_t>(blocks), 0) {
  COHORT_CHECK(blocks > 0 && block_tokens > 0);
  free_.reserve(static_cast<size_t>(blocks));
  for (int64_t block = blocks; block > 0; --block) {
    free_.push_back(static_cast<int32_t>(block - 1));
  }
}

int32_t BlockManager::Take() {
  COHORT_CHECK(!free_.empty());
  const int32_t block = free_.back();
  free_.pop_back();
  uses_[block] = 1;
  return block;
}

void BlockManager::Drop(int32_t block) {
  COHORT_CHECK(uses_[block] > 0);
  if (--uses_[block] == 0) free_.push_back(block);
}

BlockTable BlockManager::Allocate(int64_t tokens) {
  BlockTable table;
  table.tokens = tokens;
  for (int64_t i = BlocksFor(tokens); i > 0; --i) {
    table.blocks.push_back(Take());
  }
  return table;
}

BlockTable BlockManager::Fork(const BlockTable& table) {
  for (const int32_t block : table.blocks) ++uses_[block];
  return table;
}

int64_t BlockManager::BlocksToAppend(const BlockTable& table) const {
  const bool last_is_full = table.tokens % block_tokens_ == 0;
  return last_is_full || uses_[table.blocks.back()] > 1 ? 1 : 0;
}

std::optional<BlockCopy> BlockManager::Append(BlockTable* table) {
  const bool last_is_full = table->tokens % block_tokens_ == 0;
  ++table->tokens;
  if (last_is_full) {
    table->blocks.push_back(Take());
    return std::nullopt;
  }
  int32_t& last = table->blocks.back();
  if (uses_[last] == 1) return std::nullopt;
  const BlockCopy copy = {.from = last, .to = Take()};
  Drop(last);
  last = copy.to;
  return copy;
}

void BlockManager::TakeBack(BlockTable* table) {
  COHORT_CHECK(table->tokens > 0);
  --table->tokens;
  if (table->tokens % block_tokens_ != 0) return;
  Drop(table->blocks.back());
  table->blocks.pop_back();
}

void BlockManager::Release(BlockTable* table) {
  // Backwards, so that the blocks are handed out again in the same order.
  for (auto block = table->blocks.rbegin(); block != table->blocks.rend();
       ++block) {
    Drop(*block);
  }
  *table = BlockTable();
}

bool AllCanFinish(int64_t free_blocks, std::vector<BlockClaim> claims) {
  std::sort(claims.begin(), claims.end(),
            [](const BlockClaim& a, const BlockClaim& b) {
              return a.needed < b.needed;
            });
  for (const BlockClaim& claim : claims) {
    if (claim.needed > free_blocks) return false;
    free_blocks += claim.held;
  }
  return true;
}

}  // namespace cohort
