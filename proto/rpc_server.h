// A gRPC server of ours on one address.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "proto/credentials.h"

namespace cohort {

// Whether `address` is HOST:PORT with a port of 0 to 65535 that these
// credentials may serve. Without a token or TLS that is a host which only this
// machine reaches: 127.x.y.z, localhost or [::1]. Others would let anyone on
// the network in.
//   kInvalidArgument  it is not; the message names the address
absl::Status CheckListenAddress(const std::string& address,
                                const Credentials& credentials = {});

class CallCounter;

// A server that takes calls while it lives. Beside the service it answers
// grpc.health.v1.Health, for "" and for the service's full name, and server
// reflection. The service checks the token itself (CallGate).
class RpcServer {
 public:
  // Listens on `address`; port 0 takes a free one. `service` must outlive the
  // server.
  //   kInvalidArgument  see CheckListenAddress
  //   kUnavailable      the address cannot be bound (in use, or not ours)
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(
      const std::string& address, const std::string& service_name,
      grpc::Service* service, const Credentials& credentials = {});

  ~RpcServer();  // Stop() at once.

  // HOST:PORT with the port in force.
  const std::string& address() const { return address_; }

  // Takes no new calls, lets those under way end for up to `patience`, then
  // cancels them. Blocks until the last handler has returned; without calls
  // under way that is at once, however many clients are connected.
  void Stop(absl::Duration patience);

 private:
  RpcServer() = default;

  std::string address_;
  // Shared with gRPC, which tells it of calls for as long as any lives.
  std::shared_ptr<CallCounter> calls_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace cohort
