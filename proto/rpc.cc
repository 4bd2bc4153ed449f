#include "proto/rpc.h"

#include <algorithm>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "grpcpp/support/client_interceptor.h"

namespace cohort {
namespace {

// gRPC carries a message in the trailers, percent-encoded, and fails the whole
// call when these pass 8 KiB.
constexpr size_t kMaxErrorBytes = 2000;

// How soon a waiting caller notices that it was cancelled.
constexpr absl::Duration kCancelPoll = absl::Milliseconds(20);

// Callers that failed together must not come back together.
absl::Duration Jittered(absl::Duration backoff) {
  thread_local std::minstd_rand generator{std::random_device()()};
  return backoff * std::uniform_real_distribution<double>(0.5, 1.0)(generator);
}

// Returns false when cancelled.
bool WaitUntil(absl::Time end, const std::function<bool()>& cancelled) {
  while (true) {
    if (cancelled && cancelled()) return false;
    const absl::Duration left = end - absl::Now();
    if (left <= absl::ZeroDuration()) return true;
    absl::SleepFor(cancelled ? std::min(left, kCancelPoll) : left);
  }
}

constexpr char kPushback[] = "grpc-retry-pushback-ms";

// What the server asked for with AskToRetry.
std::optional<absl::Duration> Pushback(const grpc::ClientContext& context) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find(kPushback);
  int64_t milliseconds = 0;
  if (found == trailers.end() ||
      !absl::SimpleAtoi(
          absl::string_view(found->second.data(), found->second.size()),
          &milliseconds) ||
      milliseconds < 0) {
    return std::nullopt;
  }
  return absl::Milliseconds(milliseconds);
}

// How long to wait before the next attempt; none: the error is for good.
std::optional<absl::Duration> WaitAfter(const absl::Status& status,
                                        const grpc::ClientContext& context,
                                        absl::Duration* backoff,
                                        absl::Duration max_backoff) {
  if (absl::IsResourceExhausted(status)) {
    const std::optional<absl::Duration> asked = Pushback(context);
    if (!asked.has_value()) return std::nullopt;
    // Up to twice as long, so that the refused do not come back as one.
    return Jittered(2 * *asked);
  }
  if (!IsRetryable(status)) return std::nullopt;
  const absl::Duration wait = Jittered(*backoff);
  *backoff = std::min(2 * *backoff, max_backoff);
  return wait;
}

// Adds the token to every call of a channel.
class TokenCall : public grpc::experimental::Interceptor {
 public:
  explicit TokenCall(const std::string* header) : header_(header) {}
  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::
                PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->insert({"authorization", *header_});
    }
    methods->Proceed();
  }

 private:
  const std::string* const header_;  // The factory's, which the channel keeps.
};

class TokenCalls
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TokenCalls(const std::string& token)
      : header_(absl::StrCat("Bearer ", token)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* /*info*/) override {
    return new TokenCall(&header_);
  }

 private:
  const std::string header_;
};

}  // namespace

// The codes of both libraries are the same numbers.
grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()),
                      std::string(status.message().substr(0, kMaxErrorBytes)));
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const Credentials& credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamWindowBytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
  // A long call sends nothing, and must be watched all the same.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Another channel's failures are not ours.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // http_proxy is for the web; a proxy cannot reach our loopback.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  std::vector<
      std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>
      calls;
  if (!credentials.token.empty()) {
    calls.push_back(std::make_unique<TokenCalls>(credentials.token));
  }
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      address, ClientSide(credentials), arguments, std::move(calls));
}

void AskToRetry(absl::Duration after, grpc::ServerContext* context) {
  context->AddTrailingMetadata(kPushback,
                               absl::StrCat(absl::ToInt64Milliseconds(
                                   absl::Ceil(after, absl::Milliseconds(1)))));
}

bool IsRetryable(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

absl::Status CallWithRetry(
    const RetryPolicy& policy,
    const std::function<grpc::Status(grpc::ClientContext&)>& attempt,
    const std::function<bool()>& cancelled) {
  const absl::Time end = absl::Now() + policy.total_timeout;
  absl::Duration backoff = policy.first_backoff;
  absl::Status status = absl::CancelledError("cancelled before the call");
  while (!(cancelled && cancelled())) {
    grpc::ClientContext context;
    context.set_deadline(
        absl::ToChronoTime(std::min(end, absl::Now() + policy.call_timeout)));
    status = FromGrpcStatus(attempt(context));
    const std::optional<absl::Duration> wait =
        WaitAfter(status, context, &backoff, policy.max_backoff);
    if (!wait.has_value()) return status;

    const absl::Time next = absl::Now() + *wait;
    if (next >= end || !WaitUntil(next, cancelled)) return status;
  }
  return status;
}

}  // namespace cohort
