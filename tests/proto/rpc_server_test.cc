#include "proto/rpc_server.h"

#include <chrono>
#include <memory>
#include <thread>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "proto/rewards.grpc.pb.h"
#include "proto/rpc.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

// Grades nothing until it may, or until the call is cancelled.
class SlowRewards final : public Rewards::Service {
 public:
  grpc::Status Grade(grpc::ServerContext* context, const GradeRequest*,
                     GradeResponse*) override {
    started.Notify();
    while (!may_end.WaitForNotificationWithTimeout(absl::Milliseconds(1))) {
      if (context->IsCancelled()) return grpc::Status::CANCELLED;
    }
    return grpc::Status::OK;
  }

  absl::Notification started;
  absl::Notification may_end;
};

class RpcServerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto server = RpcServer::Start("127.0.0.1:0", Rewards::service_full_name(),
                                   &service_);
    COHORT_ASSERT_OK(server);
    server_ = *std::move(server);
    stub_ = Rewards::NewStub(MakeChannel(server_->address()));
  }

  absl::Status Call() {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(30));
    GradeResponse response;
    return FromGrpcStatus(stub_->Grade(&context, GradeRequest(), &response));
  }

  SlowRewards service_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<Rewards::Stub> stub_;
};

TEST_F(RpcServerTest, StopLetsTheCallUnderWayEnd) {
  absl::Status under_way;
  std::thread caller([&] { under_way = Call(); });
  service_.started.WaitForNotification();
  std::thread stopper([&] { server_->Stop(absl::Seconds(30)); });
  service_.may_end.Notify();
  stopper.join();
  caller.join();
  COHORT_EXPECT_OK(under_way);
  EXPECT_THAT(Call(), StatusIs(absl::StatusCode::kUnavailable, testing::_));
}

TEST_F(RpcServerTest, StopCancelsTheCallThatOutlivesItsPatience) {
  absl::Status under_way;
  std::thread caller([&] { under_way = Call(); });
  service_.started.WaitForNotification();
  server_->Stop(absl::Milliseconds(1));
  caller.join();
  EXPECT_FALSE(under_way.ok());
}

// A client that makes no call does not notice that it was asked to hang up.
TEST_F(RpcServerTest, AnIdleClientDoesNotDelayTheStop) {
  service_.may_end.Notify();
  COHORT_ASSERT_OK(Call());
  const auto begin = std::chrono::steady_clock::now();
  server_->Stop(absl::Minutes(5));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::minutes(1));
}

}  // namespace
}  // namespace cohort
