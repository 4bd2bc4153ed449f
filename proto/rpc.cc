#include "proto/rpc.h"

#include <algorithm>
#include <random>

#include "absl/time/clock.h"

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

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
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
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   arguments);
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
    if (!IsRetryable(status)) return status;

    const absl::Time next = absl::Now() + Jittered(backoff);
    if (next >= end || !WaitUntil(next, cancelled)) return status;
    backoff = std::min(2 * backoff, policy.max_backoff);
  }
  return status;
}

}  // namespace cohort
