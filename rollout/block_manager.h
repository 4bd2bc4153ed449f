// Who owns which block of the paged cache. Blocks are counted, so that
// the siblings of a group share those of their prompt. Holds numbers only; the
// storage is model/kv_cache.h.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace cohort {

// The cached tokens of one prompt or completion: entry j of `blocks` holds
// tokens [j * block_tokens, (j + 1) * block_tokens).
struct BlockTable {
  std::vector<int32_t> blocks;
  int64_t tokens = 0;
};

// Block `from` must be copied to block `to` before `to` is written.
struct BlockCopy {
  int32_t from;
  int32_t to;
};

class BlockManager {
 public:
  BlockManager(int64_t blocks, int64_t block_tokens);

  int64_t block_tokens() const { return block_tokens_; }
  int64_t total_blocks() const { return static_cast<int64_t>(uses_.size()); }
  int64_t free_blocks() const { return static_cast<int64_t>(free_.size()); }

  // How many blocks `tokens` tokens lie in.
  int64_t BlocksFor(int64_t tokens) const {
    return (tokens + block_tokens_ - 1) / block_tokens_;
  }

  // A table with room for `tokens` tokens. Requires that many free blocks.
  BlockTable Allocate(int64_t tokens);

  // Another table over the same blocks; the last one is copied when either of
  // the two writes to it.
  BlockTable Fork(const BlockTable& table);

  // Free blocks that Append would take: 0 or 1.
  int64_t BlocksToAppend(const BlockTable& table) const;

  // Makes room for one more token. Where it would be written to a block that
  // others use too, the table gets a block of its own and the copy to be made
  // is returned. Requires BlocksToAppend(*table) free blocks.
  std::optional<BlockCopy> Append(BlockTable* table);

  // Undoes the last Append, but for a copy that it made. Requires a token.
  void TakeBack(BlockTable* table);

  // Gives the blocks back and empties the table.
  void Release(BlockTable* table);

 private:
  int32_t Take();
  void Drop(int32_t block);

  int64_t block_tokens_;
  std::vector<int32_t> uses_;  // Per block; 0: free.
  std::vector<int32_t> free_;  // A stack: low numbers first, so that untouched
                               // memory stays untouched.
};

// What a completion holds alone, and what it may still ask for.
struct BlockClaim {
  int64_t held;
  int64_t needed;
};

// Whether all claims can be met one after another, each giving back what it
// holds once it is complete. While this stays true after every grant, somebody
// can always go on and nobody must be evicted.
// Source: Dijkstra's banker's algorithm (EWD 623), for one kind of resource.
bool AllCanFinish(int64_t free_blocks, std::vector<BlockClaim> claims);

}  // namespace cohort
