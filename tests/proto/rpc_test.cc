#include "proto/rpc.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/rewards.grpc.pb.h"
#include "proto/rpc_server.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// Fails as often as it is told to, then answers.
class FlakyRewards : public Rewards::Service {
 public:
  FlakyRewards(int failures, absl::Status failure)
      : failures_(failures), failure_(std::move(failure)) {}

  grpc::Status Grade(grpc::ServerContext*, const GradeRequest* request,
                     GradeResponse* response) override {
    if (calls_.fetch_add(1) < failures_) return ToGrpcStatus(failure_);
    for (int i = 0; i < request->completions_size(); ++i) {
      response->add_grades()->set_extracted(request->completions(i));
    }
    return grpc::Status::OK;
  }

  int calls() const { return calls_; }

 private:
  const int failures_;
  const absl::Status failure_;
  std::atomic<int> calls_ = 0;
};

// Never answers by itself.
class StuckRewards : public Rewards::Service {
 public:
  grpc::Status Grade(grpc::ServerContext*, const GradeRequest*,
                     GradeResponse*) override {
    released_.WaitForNotification();
    return grpc::Status::OK;
  }
  void Release() { released_.Notify(); }

 private:
  absl::Notification released_;
};

std::unique_ptr<RpcServer> Serve(grpc::Service* service,
                                 const std::string& address = "127.0.0.1:0") {
  absl::StatusOr<std::unique_ptr<RpcServer>> server =
      RpcServer::Start(address, "cohort.Rewards", service);
  EXPECT_THAT(server, IsOk());
  return server.ok() ? *std::move(server) : nullptr;
}

// As production retries, but for the time it takes.
RetryPolicy Fast() {
  return {.call_timeout = absl::Seconds(30),
          .total_timeout = absl::Seconds(60),
          .first_backoff = absl::Milliseconds(1),
          .max_backoff = absl::Milliseconds(5)};
}

absl::Status CallGrade(const std::string& address, const RetryPolicy& policy,
                       const GradeRequest& request, GradeResponse* response,
                       const std::function<bool()>& cancelled = nullptr) {
  const std::unique_ptr<Rewards::Stub> stub =
      Rewards::NewStub(MakeChannel(address));
  return CallWithRetry(
      policy,
      [&](grpc::ClientContext& context) {
        return stub->Grade(&context, request, response);
      },
      cancelled);
}

TEST(RpcTest, StatusesCrossTheWireUnchanged) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code),
                              "gr\xc3\xbc\xc3\x9f: 100 %\n2nd line");
    FlakyRewards service(1, status);
    const auto server = Serve(&service);
    RetryPolicy once = Fast();
    once.total_timeout = absl::Seconds(30);
    once.first_backoff = absl::Minutes(1);
    GradeResponse response;
    EXPECT_EQ(CallGrade(server->address(), once, {}, &response), status);
  }
  EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(absl::OkStatus())), absl::OkStatus());
}

// gRPC replaces a status whose message passes 8 KiB by one of its own.
TEST(RpcTest, LongErrorsAreCutNotReplaced) {
  FlakyRewards service(1, absl::NotFoundError(std::string(100000, '\n')));
  const auto server = Serve(&service);
  GradeResponse response;
  EXPECT_THAT(CallGrade(server->address(), Fast(), {}, &response),
              StatusIs(absl::StatusCode::kNotFound, SizeIs(2000)));
}

TEST(RpcTest, CallsThatMaySucceedLaterAreRepeated) {
  FlakyRewards service(3, absl::UnavailableError("busy"));
  const auto server = Serve(&service);
  GradeRequest request;
  request.add_completions("4");
  GradeResponse response;
  COHORT_EXPECT_OK(CallGrade(server->address(), Fast(), request, &response));
  EXPECT_EQ(service.calls(), 4);
  ASSERT_THAT(response.grades(), SizeIs(1));
  EXPECT_EQ(response.grades(0).extracted(), "4");
}

TEST(RpcTest, CallsThatFailForGoodAreNot) {
  FlakyRewards service(3, absl::InvalidArgumentError("no such verifier"));
  const auto server = Serve(&service);
  GradeResponse response;
  EXPECT_THAT(CallGrade(server->address(), Fast(), {}, &response),
              StatusIs(absl::StatusCode::kInvalidArgument, "no such verifier"));
  EXPECT_EQ(service.calls(), 1);
}

TEST(RpcTest, AnAttemptEndsAtItsDeadlineAndAllAtTheirs) {
  StuckRewards service;
  const auto server = Serve(&service);
  RetryPolicy policy = Fast();
  policy.call_timeout = absl::Milliseconds(50);
  policy.total_timeout = absl::Milliseconds(300);
  GradeResponse response;
  const absl::Time start = absl::Now();
  EXPECT_THAT(CallGrade(server->address(), policy, {}, &response),
              StatusIs(absl::StatusCode::kDeadlineExceeded, testing::_));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(250));
  EXPECT_LT(absl::Now() - start, absl::Seconds(20));
  service.Release();
}

TEST(RpcTest, ACancelledCallerGetsTheLastError) {
  FlakyRewards service(1000, absl::UnavailableError("busy"));
  const auto server = Serve(&service);
  RetryPolicy policy = Fast();
  policy.max_backoff = absl::Minutes(1);
  policy.first_backoff = absl::Minutes(1);
  policy.total_timeout = absl::Minutes(10);
  GradeResponse response;
  EXPECT_THAT(CallGrade(server->address(), policy, {}, &response,
                        [&] { return service.calls() >= 1; }),
              StatusIs(absl::StatusCode::kUnavailable, "busy"));
  EXPECT_EQ(service.calls(), 1);
  EXPECT_THAT(
      CallGrade(server->address(), policy, {}, &response, [] { return true; }),
      StatusIs(absl::StatusCode::kCancelled, testing::_));
}

TEST(RpcTest, ARestartedServerIsFoundAgain) {
  FlakyRewards service(0, absl::OkStatus());
  std::unique_ptr<RpcServer> server = Serve(&service);
  const std::string address = server->address();
  const std::unique_ptr<Rewards::Stub> stub =
      Rewards::NewStub(MakeChannel(address));
  GradeResponse response;
  const auto call = [&](grpc::ClientContext& context) {
    return stub->Grade(&context, {}, &response);
  };
  COHORT_ASSERT_OK(CallWithRetry(Fast(), call));
  server.reset();
  int attempts = 0;
  COHORT_EXPECT_OK(CallWithRetry(Fast(), [&](grpc::ClientContext& context) {
    if (++attempts == 3) server = Serve(&service, address);
    return call(context);
  }));
  EXPECT_GE(attempts, 3);
}

// gRPC's own limit is 4 MB, less than one group of long completions. And its
// bandwidth probe held a server back for 10 s after large messages, about every
// fourth time.
TEST(RpcTest, LargeMessagesPassAndHoldNothingBack) {
  FlakyRewards service(0, absl::OkStatus());
  auto server = Serve(&service);
  GradeRequest request;
  request.add_completions(std::string(20 << 20, 'x'));
  GradeResponse response;
  COHORT_ASSERT_OK(CallGrade(server->address(), Fast(), request, &response));
  EXPECT_EQ(response.grades(0).extracted().size(), 20 << 20);
  const absl::Time stopping = absl::Now();
  server.reset();
  EXPECT_LT(absl::Now() - stopping, absl::Seconds(5));
}

TEST(RpcTest, OnlyUnavailableAndLateMayBeRetried) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "");
    EXPECT_EQ(IsRetryable(status),
              status.code() == absl::StatusCode::kUnavailable ||
                  status.code() == absl::StatusCode::kDeadlineExceeded);
  }
}

}  // namespace
}  // namespace cohort
