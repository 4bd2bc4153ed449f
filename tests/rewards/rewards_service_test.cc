#include "rewards/rewards_service.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "proto/rpc.h"
#include "proto/rpc_server.h"
#include "tests/testing/reward_server.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

GradeRequest ChainRequest(const std::string& answer,
                          const std::vector<std::string>& completions) {
  GradeRequest request;
  request.mutable_prompt()->set_id("p7");
  request.mutable_prompt()->set_verifier("chain");
  request.mutable_prompt()->set_answer(answer);
  for (const std::string& text : completions) request.add_completions(text);
  return request;
}

// The status of /cohort.Rewards/<method> with an empty message.
grpc::StatusCode CallBlindly(const std::shared_ptr<grpc::Channel>& channel,
                             const std::string& method,
                             grpc::ClientContext* context) {
  const grpc::Slice empty;
  const grpc::ByteBuffer input(&empty, 1);
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareUnaryCall(
      context, absl::StrCat("/cohort.Rewards/", method), input, &queue);
  call->StartCall();
  grpc::ByteBuffer output;
  grpc::Status status;
  call->Finish(&output, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok));
  return status.error_code();
}

class RewardsServiceTest : public testing::Test {
 protected:
  absl::Status Call(const GradeRequest& request, GradeResponse* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(30));
    return FromGrpcStatus(stub_->Grade(&context, request, response));
  }

  RewardServer server_{COHORT_REWARDS_BINARY};
  const std::shared_ptr<grpc::Channel> channel_ =
      MakeChannel(server_.address());
  const std::unique_ptr<Rewards::Stub> stub_ = Rewards::NewStub(channel_);
};

TEST_F(RewardsServiceTest, GradesComeInTheOrderOfTheCompletions) {
  GradeResponse response;
  COHORT_ASSERT_OK(
      Call(ChainRequest("4", {"[]{4}", "[]{5}", "no"}), &response));
  ASSERT_EQ(response.grades_size(), 3);
  EXPECT_EQ(response.grades(0).verdict(), VERDICT_CORRECT);
  EXPECT_EQ(response.grades(0).score(), 1);
  EXPECT_EQ(response.grades(1).verdict(), VERDICT_WRONG);
  EXPECT_EQ(response.grades(1).extracted(), "5");
  EXPECT_EQ(response.grades(2).verdict(), VERDICT_FORMAT_ERROR);
}

TEST_F(RewardsServiceTest, NoCompletionsAreNoGrades) {
  GradeResponse response;
  COHORT_ASSERT_OK(Call(ChainRequest("4", {}), &response));
  EXPECT_EQ(response.grades_size(), 0);
}

TEST_F(RewardsServiceTest, OnlyFinishedCompletionsHaveTheAskedShape) {
  GradeRequest request = ChainRequest("4", {"[]{4}", "[]{4}"});
  request.mutable_prompt()->set_format("compact");
  request.add_finished(true);
  request.add_finished(false);
  GradeResponse response;
  COHORT_ASSERT_OK(Call(request, &response));
  EXPECT_EQ(response.grades(0).format(), 1);
  EXPECT_EQ(response.grades(1).format(), 0);
  EXPECT_EQ(response.grades(1).score(), 1);
}

TEST_F(RewardsServiceTest, AFormatNeedsToKnowHowCompletionsEnded) {
  GradeRequest request = ChainRequest("4", {"[]{4}", "[]{4}"});
  request.mutable_prompt()->set_format("compact");
  request.add_finished(true);
  GradeResponse response;
  EXPECT_THAT(Call(request, &response),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("prompt p7: 2 completions")));
}

// Sampling may stop in the middle of a character.
TEST_F(RewardsServiceTest, AnyBytesCanBeGraded) {
  GradeResponse response;
  COHORT_ASSERT_OK(Call(
      ChainRequest(
          "4", {"\xff\xfe{4}", "{\xc3", std::string("\0{4}", 4), "{\xf0\x9f}"}),
      &response));
  EXPECT_EQ(response.grades(0).verdict(), VERDICT_CORRECT);
  EXPECT_EQ(response.grades(1).verdict(), VERDICT_FORMAT_ERROR);
  EXPECT_EQ(response.grades(2).verdict(), VERDICT_CORRECT);
  EXPECT_EQ(response.grades(3).verdict(), VERDICT_WRONG);
}

TEST_F(RewardsServiceTest, AnUnknownVerifierIsNotFound) {
  GradeRequest request = ChainRequest("4", {"x"});
  request.mutable_prompt()->set_verifier("poetry");
  GradeResponse response;
  EXPECT_THAT(Call(request, &response),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("prompt p7: no verifier 'poetry'; known: "
                                 "chain, code, command, countdown, exact")));
}

TEST_F(RewardsServiceTest, ALackingPromptIsAnInvalidArgument) {
  GradeResponse response;
  EXPECT_THAT(Call(ChainRequest("", {"x"}), &response),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "prompt p7: verifier chain: no answer"));
}

TEST_F(RewardsServiceTest, CheckPromptsNamesEachPromptThatCannotBeGraded) {
  CheckPromptsRequest request;
  *request.add_prompts() = ChainRequest("4", {}).prompt();
  *request.add_prompts() = ChainRequest("", {}).prompt();
  *request.add_prompts() = Prompt();
  CheckPromptsResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->CheckPrompts(&context, request, &response).ok());
  EXPECT_THAT(response.problems(),
              ElementsAre("prompt p7: verifier chain: no answer",
                          HasSubstr("no verifier ''; known: chain")));
}

TEST_F(RewardsServiceTest, APassedDeadlineGivesNoGrades) {
  GradeResponse response;
  absl::Duration retry_after;
  EXPECT_THAT(
      server_.service().GradeAll(ChainRequest("4", {"[]{4}"}),
                                 absl::InfinitePast(), &response, &retry_after),
      StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("p7")));
  EXPECT_EQ(response.grades_size(), 0);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() -
                       std::chrono::seconds(1));
  EXPECT_EQ(stub_->Grade(&context, ChainRequest("4", {"[]{4}"}), &response)
                .error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(RewardsServiceTest, ManyCallsAtOnceGetTheirOwnGrades) {
  constexpr int kCalls = 64;
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < kCalls; ++i) {
      callers.emplace_back([&, i] {
        const std::string answer = absl::StrCat(i);
        GradeResponse response;
        const absl::Status status =
            Call(ChainRequest(answer, {absl::StrCat("[]{", i, "}"), "[]{x}"}),
                 &response);
        EXPECT_THAT(status, IsOk());
        if (response.grades_size() == 2 &&
            response.grades(0).extracted() == answer &&
            response.grades(0).score() == 1 &&
            response.grades(1).score() == 0) {
          ++right;
        }
      });
    }
  }
  EXPECT_EQ(right, kCalls);
}

// grpc.health.v1.HealthCheckResponse is {1: status}, where 1 is SERVING; its
// request is {1: service}.
TEST_F(RewardsServiceTest, HealthSaysServing) {
  for (const std::string service : {"", "cohort.Rewards"}) {
    std::string request;
    if (!service.empty()) {
      request =
          absl::StrCat("\n", std::string(1, char(service.size())), service);
    }
    const grpc::Slice slice(request);
    const grpc::ByteBuffer input(&slice, 1);
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(
        &context, "/grpc.health.v1.Health/Check", input, &queue);
    call->StartCall();
    grpc::ByteBuffer output;
    grpc::Status status;
    call->Finish(&output, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    ASSERT_TRUE(status.ok()) << status.error_message();
    grpc::Slice reply;
    ASSERT_TRUE(output.DumpToSingleSlice(&reply).ok());
    EXPECT_EQ(std::string(reply.begin(), reply.end()), "\x08\x01") << service;
  }
}

GradeRequest MathRequest(const std::string& answer,
                         const std::vector<std::string>& completions) {
  GradeRequest request = ChainRequest(answer, completions);
  request.mutable_prompt()->set_verifier("math");
  return request;
}

// In a worker process of its own.
TEST_F(RewardsServiceTest, MathsIsGradedInAWorker) {
  GradeResponse response;
  COHORT_ASSERT_OK(
      Call(MathRequest("4", {"\\boxed{4}", "\\boxed{5}"}), &response));
  ASSERT_EQ(response.grades_size(), 2);
  EXPECT_EQ(response.grades(0).verdict(), VERDICT_CORRECT);
  EXPECT_EQ(response.grades(1).verdict(), VERDICT_WRONG);
  GradeRequest lacking = MathRequest("", {"4"});
  EXPECT_THAT(Call(lacking, &response),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("prompt p7: verifier math")));
}

// What a run asks before it begins.
TEST_F(RewardsServiceTest, MathsPromptsThatNothingCouldAnswerAreNamed) {
  CheckPromptsRequest request;
  const auto add = [&](const std::string& id, const std::string& answer,
                       const std::string& policy) {
    Prompt& prompt = *request.add_prompts();
    prompt = MathRequest(answer, {}).prompt();
    prompt.set_id(id);
    prompt.set_math_policy(policy);
  };
  add("sound", "4", "unit-conversion");
  add("empty", "", "");
  add("blank", " ", "");
  add("torn", "\\frac{1}{", "");
  add("valueless", "5/0", "");
  add("chosen", "4", "lenient");
  CheckPromptsResponse response;
  grpc::ClientContext context;
  COHORT_ASSERT_OK(
      FromGrpcStatus(stub_->CheckPrompts(&context, request, &response)));
  EXPECT_THAT(
      response.problems(),
      ElementsAre("prompt empty: verifier math: no answer",
                  "prompt blank: verifier math: no answer",
                  HasSubstr("prompt torn: verifier math: answer '\\frac{1}{'"),
                  HasSubstr("prompt valueless: verifier math: answer '5/0'"),
                  HasSubstr("prompt chosen: verifier math: no maths policy "
                            "'lenient'; known: ")));
}

TEST_F(RewardsServiceTest, EqualAnswersShareAClass) {
  GroupEqualRequest request;
  *request.mutable_prompt() = MathRequest("4", {}).prompt();
  for (const char* text : {"\\boxed{0.5}", "\\boxed{4}", "\\boxed{1/2}",
                           "nothing here", "\\boxed{8/2}"}) {
    request.add_completions(text);
  }
  GroupEqualResponse response;
  grpc::ClientContext context;
  COHORT_ASSERT_OK(
      FromGrpcStatus(stub_->GroupEqual(&context, request, &response)));
  EXPECT_THAT(response.classes(), ElementsAre(0, 1, 0, -1, 1));
}

TEST_F(RewardsServiceTest, CallsAndVerdictsAreCounted) {
  GradeResponse response;
  COHORT_ASSERT_OK(Call(ChainRequest("4", {"[]{4}", "[]{5}"}), &response));
  GradeRequest unknown = ChainRequest("4", {"x"});
  unknown.mutable_prompt()->set_verifier("poetry");
  EXPECT_FALSE(Call(unknown, &response).ok());
  const std::string text = server_.metrics().Text();
  for (const char* line :
       {"cohort_rewards_calls_total{code=\"OK\",verifier=\"chain\"} 1",
        "cohort_rewards_calls_total{code=\"NOT_FOUND\",verifier=\"unknown\"} 1",
        "cohort_rewards_grades_total{verdict=\"correct\",verifier=\"chain\"} "
        "1",
        "cohort_rewards_call_seconds_count{verifier=\"chain\"} 1"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

// Refused at once, not after a wait, and told when to come back.
TEST(RewardsOverloadTest, ACallTooManyIsRefusedWithAHint) {
  // Its external verifier never answers, so that the first call holds the only
  // turn until its deadline.
  RewardServer slow(COHORT_REWARDS_BINARY, {.workers = 1, .max_waiting = 0}, {},
                    "127.0.0.1:1");
  const auto stub = Rewards::NewStub(MakeChannel(slow.address()));
  GradeRequest request = ChainRequest("4", {"x"});
  request.mutable_prompt()->set_verifier("external");
  std::jthread first([&] {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(2));
    GradeResponse response;
    EXPECT_TRUE(stub->Grade(&context, request, &response).ok());
    EXPECT_EQ(response.grades(0).verdict(), VERDICT_INFRA_ERROR);
  });
  while (slow.service().busy() == 0) std::this_thread::yield();
  grpc::ClientContext context;
  GradeResponse response;
  EXPECT_EQ(stub->Grade(&context, request, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"),
            1);
  // CallWithRetry comes back by itself until there is room.
  COHORT_EXPECT_OK(CallWithRetry({}, [&](grpc::ClientContext& again) {
    request.mutable_prompt()->set_verifier("external");
    again.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(1));
    return stub->Grade(&again, request, &response);
  }));
}

TEST(RewardsTokenTest, EveryMethodAsksForTheToken) {
  const Credentials ours = {.token = "correct-horse-battery"};
  RewardServer server(COHORT_REWARDS_BINARY, {}, ours);
  for (const Credentials& theirs :
       {Credentials(), Credentials{.token = "correct-horse-batterx"},
        Credentials{.token = "correct-horse-battery-"}}) {
    const auto channel = MakeChannel(server.address(), theirs);
    const google::protobuf::ServiceDescriptor& service =
        *google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
            Rewards::service_full_name());
    for (int i = 0; i < service.method_count(); ++i) {
      grpc::ClientContext context;
      EXPECT_EQ(CallBlindly(channel, service.method(i)->name(), &context),
                grpc::StatusCode::UNAUTHENTICATED)
          << service.method(i)->name();
    }
  }
  const auto stub = Rewards::NewStub(MakeChannel(server.address(), ours));
  GradeResponse response;
  grpc::ClientContext context;
  EXPECT_TRUE(
      stub->Grade(&context, ChainRequest("4", {"[]{4}"}), &response).ok());
}

// A port shared by two servers would split the calls between them unnoticed.
TEST_F(RewardsServiceTest, APortInUseIsRefusedByName) {
  Rewards::Service other;
  EXPECT_THAT(
      RpcServer::Start(server_.address(), Rewards::service_full_name(), &other),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr(server_.address())));
}

TEST_F(RewardsServiceTest, AfterStopCallsAreUnavailable) {
  server_.server().Stop(absl::Seconds(1));
  GradeResponse response;
  EXPECT_THAT(Call(ChainRequest("4", {"[]{4}"}), &response),
              StatusIs(absl::StatusCode::kUnavailable, testing::_));
}

TEST(ListenAddressTest, WithoutATokenOnlyThisMachineMayBeListenedTo) {
  for (const char* address :
       {"127.0.0.1:0", "127.1.2.3:65535", "localhost:80", "[::1]:0"}) {
    COHORT_EXPECT_OK(CheckListenAddress(address)) << address;
  }
  COHORT_EXPECT_OK(
      CheckListenAddress("0.0.0.0:1", {.token = "correct-horse-battery"}));
  for (const char* address :
       {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1", "127.0.0.1", ":1",
        "", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1.example.org:1", "unix:/x:1"}) {
    EXPECT_THAT(
        CheckListenAddress(address),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(address)));
  }
}

}  // namespace
}  // namespace cohort
