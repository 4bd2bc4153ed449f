#include "rollout/block_manager.h"

#include <utility>
#include <vector>

#include "gmock/gmock.h"

namespace cohort {
namespace {

using testing::ElementsAre;

TEST(BlockManagerTest, ATableCoversItsTokens) {
  BlockManager blocks(8, 4);
  const BlockTable table = blocks.Allocate(9);
  EXPECT_THAT(table.blocks, ElementsAre(0, 1, 2));
  EXPECT_EQ(blocks.free_blocks(), 5);
}

TEST(BlockManagerTest, WhatWasAppendedCanBeTakenBack) {
  BlockManager blocks(8, 4);
  BlockTable table = blocks.Allocate(3);
  blocks.Append(&table);
  blocks.Append(&table);  // In a block of its own.
  EXPECT_EQ(blocks.free_blocks(), 6);
  blocks.TakeBack(&table);
  EXPECT_EQ(table.tokens, 4);
  EXPECT_EQ(blocks.free_blocks(), 7);
  blocks.TakeBack(&table);
  EXPECT_EQ(table.tokens, 3);
  EXPECT_THAT(table.blocks, ElementsAre(0));
  EXPECT_EQ(blocks.free_blocks(), 7);
}

TEST(BlockManagerTest, SiblingsShareFullBlocksAndCopyThePartialOne) {
  BlockManager blocks(8, 4);
  BlockTable prompt = blocks.Allocate(6);  // One full block and a half.
  BlockTable first = blocks.Fork(prompt);
  BlockTable second = blocks.Fork(prompt);
  blocks.Release(&prompt);
  EXPECT_EQ(blocks.free_blocks(), 6);

  EXPECT_EQ(blocks.BlocksToAppend(first), 1);
  const std::optional<BlockCopy> copy = blocks.Append(&first);
  ASSERT_TRUE(copy.has_value());
  EXPECT_EQ(copy->from, 1);
  EXPECT_THAT(first.blocks, ElementsAre(0, copy->to));
  EXPECT_THAT(second.blocks, ElementsAre(0, 1));

  // The last owner writes in place.
  EXPECT_EQ(blocks.BlocksToAppend(second), 0);
  EXPECT_FALSE(blocks.Append(&second).has_value());
  EXPECT_THAT(second.blocks, ElementsAre(0, 1));
  EXPECT_EQ(blocks.free_blocks(), 5);
}

TEST(BlockManagerTest, AFullLastBlockIsNeverCopied) {
  BlockManager blocks(8, 4);
  const BlockTable prompt = blocks.Allocate(8);
  BlockTable member = blocks.Fork(prompt);
  EXPECT_FALSE(blocks.Append(&member).has_value());
  EXPECT_THAT(member.blocks, ElementsAre(0, 1, 2));
}

TEST(BlockManagerTest, ReleasedTablesLeaveNoBlockBehind) {
  BlockManager blocks(64, 4);
  for (int round = 0; round < 100; ++round) {
    BlockTable prompt = blocks.Allocate(1 + round % 13);
    std::vector<BlockTable> members;
    for (int i = 0; i < 5; ++i) members.push_back(blocks.Fork(prompt));
    for (BlockTable& member : members) {
      for (int token = 0; token < round % 7; ++token) blocks.Append(&member);
    }
    if (round % 2 == 0) blocks.Release(&prompt);
    for (BlockTable& member : members) blocks.Release(&member);
    blocks.Release(&prompt);
    ASSERT_EQ(blocks.free_blocks(), 64);
  }
}

TEST(BlockManagerDeathTest, MoreThanThereIsIsOurOwnFault) {
  BlockManager blocks(2, 4);
  EXPECT_DEATH(blocks.Allocate(9), "check failed");
}

TEST(AllCanFinishTest, OneAfterAnotherIsEnough) {
  // The second can finish, gives back 3, then the first can.
  EXPECT_TRUE(
      AllCanFinish(1, {{.held = 1, .needed = 4}, {.held = 3, .needed = 1}}));
}

TEST(AllCanFinishTest, WaitingForEachOtherIsNot) {
  EXPECT_FALSE(
      AllCanFinish(1, {{.held = 3, .needed = 2}, {.held = 3, .needed = 2}}));
}

TEST(AllCanFinishTest, NobodyNeedsAnything) {
  EXPECT_TRUE(AllCanFinish(0, {}));
  EXPECT_TRUE(AllCanFinish(0, {{.held = 2, .needed = 0}}));
}

}  // namespace
}  // namespace cohort
