// absl::Status <-> grpc::Status, and calls that are tried again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "proto/credentials.h"

namespace cohort {

// Our messages hold whole groups and weight shards.
inline constexpr int kMaxMessageBytes = 256 << 20;
inline constexpr int64_t kWeightShardBytes = 4 << 20;

// Fixed at both ends, in place of gRPC's probing of the bandwidth: its timer
// outlives the connection and held back a stopping server for up to 10 s (gRPC
// 1.51).
inline constexpr int kStreamWindowBytes = 4 << 20;

grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

// A channel to HOST:PORT that reconnects within a second and notices a dead
// peer within about 20 s (keepalive). Every call carries the token of
// `credentials`. Never blocks.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const Credentials& credentials = {});

// Says with a failed call that it may be tried again after so long: the trailer
// grpc-retry-pushback-ms (gRPC proposal A6).
void AskToRetry(absl::Duration after, grpc::ServerContext* context);

// kUnavailable and kDeadlineExceeded: the same call may succeed later.
bool IsRetryable(const absl::Status& status);

struct RetryPolicy {
  absl::Duration call_timeout = absl::Seconds(60);   // One attempt.
  absl::Duration total_timeout = absl::Minutes(10);  // All attempts together.
  absl::Duration first_backoff = absl::Milliseconds(50);
  absl::Duration max_backoff = absl::Seconds(2);
};

// Calls `attempt` with a context whose deadline is set, until it succeeds,
// fails for good, `total_timeout` has passed, or `cancelled` (may be null) says
// true. Waits between attempts, doubling, with jitter; a server that is too
// busy (kResourceExhausted with the trailer of AskToRetry) says itself how
// long. Returns the last error.
absl::Status CallWithRetry(
    const RetryPolicy& policy,
    const std::function<grpc::Status(grpc::ClientContext&)>& attempt,
    const std::function<bool()>& cancelled = nullptr);

}  // namespace cohort
