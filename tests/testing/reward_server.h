// A reward server in this process, over the real graders.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "proto/rpc_server.h"
#include "rewards/rewards_service.h"
#include "tests/testing/status_matchers.h"

namespace cohort {

// `worker` is the program of the grading workers.
class RewardServer {
 public:
  explicit RewardServer(const std::string& worker, RewardsLimits limits = {},
                        const Credentials& credentials = {},
                        const std::string& external = "")
      : graders_(MakeGraders({.external = external})),
        pool_({worker, "grade-worker"}, limits.workers),
        service_({&graders_, &pool_, &metrics_, nullptr}, limits,
                 CallGate(credentials.token)) {
    auto server = RpcServer::Start("127.0.0.1:0", Rewards::service_full_name(),
                                   &service_, credentials);
    EXPECT_THAT(server, IsOk());
    server_ = *std::move(server);
  }

  RewardsService& service() { return service_; }
  const ServiceMetrics& metrics() const { return metrics_; }
  RpcServer& server() { return *server_; }
  const std::string& address() const { return server_->address(); }

 private:
  const GraderMap graders_;
  GradePool pool_;
  ServiceMetrics metrics_;
  RewardsService service_;
  std::unique_ptr<RpcServer> server_;
};

}  // namespace cohort
