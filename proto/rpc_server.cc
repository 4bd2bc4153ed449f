#include "proto/rpc_server.h"

#include <arpa/inet.h>

#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc/grpc.h"
#include "grpc/support/log.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/support/server_interceptor.h"
#include "proto/rpc.h"
#include "proto/status.h"

namespace cohort {

// Counts the calls under way, those of gRPC's own services left out: watchers
// of the health stay for as long as the server does.
//
// Thread-safe.
class CallCounter {
 public:
  void Begin() {
    absl::MutexLock lock(&mu_);
    ++active_;
  }
  void End() {
    absl::MutexLock lock(&mu_);
    --active_;
  }
  void AwaitNone(absl::Time deadline) {
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithDeadline(
        absl::Condition(
            +[](int* active) { return *active == 0; }, &active_),
        deadline);
  }

 private:
  absl::Mutex mu_;
  int active_ ABSL_GUARDED_BY(mu_) = 0;
};

namespace {

using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerInterceptorFactoryInterface;
using grpc::experimental::ServerRpcInfo;

// gRPC makes one for each call and destroys it when the call has ended.
class CountedCall : public Interceptor {
 public:
  explicit CountedCall(std::shared_ptr<CallCounter> calls)
      : calls_(std::move(calls)) {
    calls_->Begin();
  }
  ~CountedCall() override { calls_->End(); }
  void Intercept(InterceptorBatchMethods* methods) override {
    methods->Proceed();
  }

 private:
  const std::shared_ptr<CallCounter> calls_;
};

class CountedCallFactory : public ServerInterceptorFactoryInterface {
 public:
  explicit CountedCallFactory(std::shared_ptr<CallCounter> calls)
      : calls_(std::move(calls)) {}
  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    if (absl::StartsWith(info->method(), "/grpc.")) return nullptr;
    return new CountedCall(calls_);
  }

 private:
  const std::shared_ptr<CallCounter> calls_;
};

// "HOST:PORT" -> both; an IPv6 host keeps its brackets.
bool SplitAddress(const std::string& address, std::string* host, int* port) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  *host = address.substr(0, colon);
  const std::string digits = address.substr(colon + 1);
  return digits.size() <= 5 &&
         digits.find_first_not_of("0123456789") == std::string::npos &&
         absl::SimpleAtoi(digits, port) && *port <= 65535;
}

bool IsLoopback(const std::string& host) {
  in_addr ipv4 = {};
  return host == "localhost" || host == "[::1]" ||
         (inet_pton(AF_INET, host.c_str(), &ipv4) == 1 &&
          ntohl(ipv4.s_addr) >> 24 == 127);
}

void SetOptions(grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder->SetMaxSendMessageSize(kMaxMessageBytes);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES,
                              kStreamWindowBytes);
  // Without this a second server would share the port unnoticed.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Our clients ping while they wait for a long call; see MakeChannel.
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
}

// gRPC reports a failed bind in several lines of its own; ours names the
// address in one.
class QuietGrpcLog {
 public:
  QuietGrpcLog() {
    gpr_set_log_function([](gpr_log_func_args*) {});
  }
  ~QuietGrpcLog() { gpr_set_log_function(nullptr); }
};

}  // namespace

absl::Status CheckListenAddress(const std::string& address,
                                const Credentials& credentials) {
  std::string host;
  int port = 0;
  if (!SplitAddress(address, &host, &port)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", address, "' is not HOST:PORT"));
  }
  if (!IsLoopback(host) && !credentials.Guarded()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "refused to listen on ", address,
        ": without a token file or TLS only this machine may call (127.0.0.1, "
        "localhost, [::1])"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(
    const std::string& address, const std::string& service_name,
    grpc::Service* service, const Credentials& credentials) {
  COHORT_RETURN_IF_ERROR(CheckListenAddress(address, credentials));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  SetOptions(&builder);
  int port = 0;
  builder.AddListeningPort(address, ServerSide(credentials), &port);
  builder.RegisterService(service);

  std::unique_ptr<RpcServer> started(new RpcServer());
  started->calls_ = std::make_shared<CallCounter>();
  std::vector<std::unique_ptr<ServerInterceptorFactoryInterface>> factories;
  factories.push_back(std::make_unique<CountedCallFactory>(started->calls_));
  builder.experimental().SetInterceptorCreators(std::move(factories));
  {
    const QuietGrpcLog quiet;
    started->server_ = builder.BuildAndStart();
  }
  if (started->server_ == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", address, ": the port is in use or not ours"));
  }
  started->server_->GetHealthCheckService()->SetServingStatus(service_name,
                                                              true);
  started->address_ =
      absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
  return started;
}

RpcServer::~RpcServer() { Stop(absl::ZeroDuration()); }

void RpcServer::Stop(absl::Duration patience) {
  if (server_ == nullptr) return;
  server_->GetHealthCheckService()->Shutdown();
  const absl::Time deadline = absl::Now() + patience;
  // Shutdown() asks the clients to hang up and waits until they have; one that
  // makes no call does not listen for seconds. So they are cut off once no call
  // is under way.
  absl::Notification done;
  std::jthread shutdown([&] {
    server_->Shutdown(absl::ToChronoTime(deadline));
    done.Notify();
  });
  calls_->AwaitNone(deadline);
  // Again for a client that dialled before Shutdown() began.
  while (!done.WaitForNotificationWithTimeout(absl::Milliseconds(5))) {
    grpc_server_cancel_all_calls(server_->c_server());
  }
  server_->Wait();
  server_.reset();
}

}  // namespace cohort
