// Who may call our servers: anyone on this machine's loopback, elsewhere only
// callers with the shared token or with a certificate.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/grpcpp.h"
#include "proto/flags.h"

namespace cohort {

// Files, as flags and config name them; empty: none. The three of TLS go
// together, and then both sides must show a certificate that `tls_authority`
// signed.
struct CredentialFiles {
  std::string token_file;
  std::string tls_certificate;  // PEM, with its chain.
  std::string tls_key;          // PEM.
  std::string tls_authority;    // PEM.
};

// What the files hold.
struct Credentials {
  std::string token = {};
  std::string certificate = {};
  std::string key = {};
  std::string authority = {};

  bool HasTls() const { return !certificate.empty(); }
  bool Guarded() const { return HasTls() || !token.empty(); }
};

// Reads them. A token is one line of 16 to 1024 printable characters without
// spaces.
//   kNotFound         no such file
//   kInvalidArgument  names the file and what is wrong, or the TLS file that is
//                     missing beside the others
absl::StatusOr<Credentials> LoadCredentials(const CredentialFiles& files);

// The flags --token-file, --tls-certificate, --tls-key and --tls-authority.
void AddCredentialFlags(CredentialFiles* files, FlagParser* parser);

std::shared_ptr<grpc::ServerCredentials> ServerSide(
    const Credentials& credentials);
std::shared_ptr<grpc::ChannelCredentials> ClientSide(
    const Credentials& credentials);

// Asks every call for the token. Copyable; the default lets all pass.
class CallGate {
 public:
  explicit CallGate(const std::string& token = "");

  // OK, or UNAUTHENTICATED. Takes as long for a wrong token as for the right
  // one.
  grpc::Status Check(const grpc::ServerContext& context) const;

 private:
  std::string expected_;  // "Bearer <token>"; empty: no token is asked for.
};

// The first line of every handler: ends the call that `gate` refuses.
#define COHORT_RETURN_IF_REFUSED(gate, context)                     \
  do {                                                              \
    if (const grpc::Status cohort_refused_ = (gate).Check(context); \
        !cohort_refused_.ok()) {                                    \
      return cohort_refused_;                                       \
    }                                                               \
  } while (false)

}  // namespace cohort
