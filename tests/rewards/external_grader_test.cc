#include "rewards/external_grader.h"

#include <atomic>
#include <functional>
#include <string>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "proto/rpc_server.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using testing::HasSubstr;

// Answers as the test says.
class ScriptedVerifier : public Rewards::Service {
 public:
  grpc::Status Grade(grpc::ServerContext* /*context*/,
                     const GradeRequest* request,
                     GradeResponse* response) override {
    ++calls;
    return answer(*request, response);
  }
  std::function<grpc::Status(const GradeRequest&, GradeResponse*)> answer;
  std::atomic<int> calls = 0;
};

class ExternalGraderTest : public testing::Test {
 protected:
  void SetUp() override {
    auto server = RpcServer::Start("127.0.0.1:0", Rewards::service_full_name(),
                                   &verifier_);
    COHORT_ASSERT_OK(server);
    server_ = *std::move(server);
    grader_ =
        std::make_unique<ExternalGrader>(server_->address(), Credentials());
  }

  std::vector<Grade> GradeTwo() {
    const auto grades =
        grader_->GradeMany(Prompt(), {{.text = "a"}, {.text = "b"}},
                           absl::Now() + absl::Seconds(3));
    EXPECT_THAT(grades, IsOk());
    return *grades;
  }

  ScriptedVerifier verifier_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<ExternalGrader> grader_;
};

TEST_F(ExternalGraderTest, ItsGradesAreHandedOnInOrder) {
  verifier_.answer = [](const GradeRequest& request, GradeResponse* response) {
    for (const std::string& text : request.completions()) {
      *response->add_grades() =
          text == "a" ? CorrectGrade(text) : WrongGrade(text, "");
    }
    return grpc::Status::OK;
  };
  const std::vector<Grade> grades = GradeTwo();
  EXPECT_EQ(grades[0].verdict(), VERDICT_CORRECT);
  EXPECT_EQ(grades[1].verdict(), VERDICT_WRONG);
}

TEST_F(ExternalGraderTest, ABusyServerIsAskedAgain) {
  verifier_.answer = [&](const GradeRequest& request,
                         GradeResponse* response) -> grpc::Status {
    if (verifier_.calls < 3) {
      return {grpc::StatusCode::UNAVAILABLE, "not yet"};
    }
    for (int i = 0; i < request.completions_size(); ++i) {
      *response->add_grades() = CorrectGrade("x");
    }
    return grpc::Status::OK;
  };
  EXPECT_EQ(GradeTwo()[1].verdict(), VERDICT_CORRECT);
  EXPECT_EQ(verifier_.calls, 3);
}

// An error of theirs must not become a reward of 0.
TEST_F(ExternalGraderTest, AFailureIsAnInfraErrorForEachCompletion) {
  verifier_.answer = [](const GradeRequest&, GradeResponse*) -> grpc::Status {
    return {grpc::StatusCode::INTERNAL, "no disk"};
  };
  for (const Grade& grade : GradeTwo()) {
    EXPECT_EQ(grade.verdict(), VERDICT_INFRA_ERROR);
    EXPECT_THAT(grade.reason(), HasSubstr("no disk"));
  }
}

TEST_F(ExternalGraderTest, AnswersThatAreNoGradesAreInfraErrors) {
  for (const auto& spoil : std::vector<std::function<void(GradeResponse*)>>{
           [](GradeResponse* r) { r->add_grades(); },
           [](GradeResponse* r) { r->mutable_grades()->RemoveLast(); },
           [](GradeResponse* r) { r->mutable_grades(0)->set_score(2); },
           [](GradeResponse* r) { r->mutable_grades(0)->clear_verdict(); },
           [](GradeResponse* r) {
             r->mutable_grades(0)->set_verdict(VERDICT_WRONG);
           }}) {
    verifier_.answer = [&](const GradeRequest&, GradeResponse* response) {
      *response->add_grades() = CorrectGrade("x");
      *response->add_grades() = CorrectGrade("x");
      spoil(response);
      return grpc::Status::OK;
    };
    EXPECT_EQ(GradeTwo()[0].verdict(), VERDICT_INFRA_ERROR);
  }
}

TEST(ExternalGraderAddressTest, WithoutAnAddressPromptsAreRefused) {
  EXPECT_THAT(ExternalGrader("", Credentials()).CheckPrompt(Prompt()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("rewards.external")));
}

}  // namespace
}  // namespace cohort
