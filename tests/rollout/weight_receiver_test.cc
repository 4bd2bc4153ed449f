#include "rollout/weight_receiver.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/rollout/fake_learner.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using testing::HasSubstr;
using testing::IsNull;
using testing::NotNull;

absl::StatusOr<std::unique_ptr<WeightSet>> AddAll(
    const std::vector<WeightShard>& shards, WeightAssembler* assembler) {
  absl::StatusOr<std::unique_ptr<WeightSet>> weights = nullptr;
  for (const WeightShard& shard : shards) {
    weights = assembler->Add(shard);
    if (!weights.ok()) return weights;
  }
  return weights;
}

TEST(WeightAssemblerTest, AVersionIsCompleteWithItsLastShard) {
  WeightAssembler assembler(OneTensor());
  const std::vector<WeightShard> shards = MakeShards(4, "abcdefgh", 3);
  EXPECT_THAT(assembler.Add(shards[0]), IsOkAndHolds(IsNull()));
  EXPECT_THAT(assembler.Add(shards[1]), IsOkAndHolds(IsNull()));
  const auto weights = assembler.Add(shards[2]);
  COHORT_ASSERT_OK(weights);
  EXPECT_EQ((*weights)->version, 4);
  EXPECT_EQ((*weights)->bytes, "abcdefgh");
}

TEST(WeightAssemblerTest, AFlippedBitIsNeverApplied) {
  for (int shard = 0; shard < 3; ++shard) {
    WeightAssembler assembler(OneTensor());
    std::vector<WeightShard> shards = MakeShards(4, "abcdefgh", 3);
    (*shards[shard].mutable_data())[0] ^= 1;
    EXPECT_THAT(AddAll(shards, &assembler),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("checksum")));
  }
}

// Each shard is whole, but one is of another stream.
TEST(WeightAssemblerTest, AnExchangedShardIsNeverApplied) {
  WeightAssembler assembler(OneTensor());
  std::vector<WeightShard> shards = MakeShards(4, "abcdefgh", 3);
  const std::vector<WeightShard> other = MakeShards(4, "ABCDEFGH", 3);
  shards[1].set_data(other[1].data());
  shards[1].set_checksum(other[1].checksum());
  EXPECT_THAT(AddAll(shards, &assembler),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("all shards")));
}

TEST(WeightAssemblerTest, AMissingShardTearsTheVersion) {
  WeightAssembler assembler(OneTensor());
  const std::vector<WeightShard> shards = MakeShards(4, "abcdefgh", 3);
  COHORT_ASSERT_OK(assembler.Add(shards[0]));
  EXPECT_THAT(assembler.Add(shards[2]),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("due was")));
  // What follows belongs to nothing.
  EXPECT_THAT(assembler.Add(shards[1]),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no shard 0")));
  EXPECT_THAT(AddAll(shards, &assembler), IsOkAndHolds(NotNull()));
}

TEST(WeightAssemblerTest, ANewerVersionMayBeginBeforeTheOldOneEnds) {
  WeightAssembler assembler(OneTensor());
  COHORT_ASSERT_OK(assembler.Add(MakeShards(4, "abcdefgh", 3)[0]));
  const auto weights = AddAll(MakeShards(5, "ABCDEFGH", 3), &assembler);
  COHORT_ASSERT_OK(weights);
  EXPECT_EQ((*weights)->version, 5);
  EXPECT_EQ((*weights)->bytes, "ABCDEFGH");
}

TEST(WeightAssemblerTest, WeightsOfAnotherModelAreNamed) {
  const auto add = [](auto change) {
    std::vector<WeightShard> shards = MakeShards(4, "abcdefgh", 3);
    change(shards[0].mutable_tensors(0));
    WeightAssembler assembler(OneTensor());
    return assembler.Add(shards[0]).status();
  };
  EXPECT_THAT(add([](TensorInfo* t) { t->set_name("v"); }),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("tensor 0 is v, ours is w")));
  EXPECT_THAT(add([](TensorInfo* t) { t->set_shape(0, 3); }),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("w is [3], ours is [2]")));
  EXPECT_THAT(
      add([](TensorInfo* t) { t->set_dtype("I64"); }),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("dtype I64")));
  // A length that the tensors do not have never becomes memory.
  EXPECT_THAT(add([](TensorInfo* t) { t->set_dtype("BF16"); }),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("total_bytes")));
}

class WeightReceiverTest : public testing::Test {
 protected:
  void TearDown() override {
    learner_.EndStreams(true);
    thread_ = std::jthread();
    server_.Stop();
  }

  void Run() {
    thread_ =
        std::jthread([this](std::stop_token stop) { receiver_.Run(stop); });
  }

  // The next version, waited for; -1 when none comes.
  int64_t NextVersion() {
    for (int i = 0; i < 300; ++i) {
      receiver_.WaitForNew(absl::Milliseconds(100));
      const auto weights = receiver_.Take();
      EXPECT_THAT(weights, IsOk());
      if (!weights.ok()) return -1;
      if (*weights != nullptr) return (*weights)->version;
    }
    return -1;
  }

  FakeLearner learner_;
  TestServer server_{&learner_};
  std::unique_ptr<Learner::Stub> stub_ =
      Learner::NewStub(MakeChannel(server_.address()));
  WeightReceiver receiver_{stub_.get(), "run", "w0", OneTensor()};
  std::jthread thread_;
};

TEST_F(WeightReceiverTest, ReceivesEveryVersionThatIsPublished) {
  learner_.Publish(0);
  Run();
  EXPECT_EQ(NextVersion(), 0);
  learner_.Publish(1);
  EXPECT_EQ(NextVersion(), 1);
}

TEST_F(WeightReceiverTest, ATornVersionIsReadAnew) {
  std::vector<WeightShard> torn = MakeShards(3, "abcdefgh", 3);
  torn[1].set_data("xyz");
  learner_.Publish(3, torn);
  Run();
  receiver_.WaitForNew(absl::Milliseconds(50));
  EXPECT_THAT(receiver_.Take(), IsOkAndHolds(IsNull()));
  learner_.Publish(3);  // The next stream is whole.
  EXPECT_EQ(NextVersion(), 3);
}

TEST_F(WeightReceiverTest, AfterABreakOnlyWhatIsNewerIsSent) {
  learner_.Publish(4);
  Run();
  EXPECT_EQ(NextVersion(), 4);
  learner_.EndStreams(true);
  server_.Stop();
  learner_.EndStreams(false);
  learner_.Publish(9);
  server_.Start();
  EXPECT_EQ(NextVersion(), 9);
  EXPECT_EQ(learner_.have_version(), 4);
}

TEST_F(WeightReceiverTest, AnotherModelIsFinal) {
  std::vector<WeightShard> foreign = MakeShards(3, "abcdefgh", 3);
  foreign[0].mutable_tensors(0)->set_name("v");
  learner_.Publish(3, foreign);
  Run();
  receiver_.WaitForNew(absl::Seconds(30));
  EXPECT_THAT(receiver_.Take(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("v")));
}

}  // namespace
}  // namespace cohort
