#include "proto/credentials.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"
#include "openssl/crypto.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr size_t kMinTokenBytes = 16;
constexpr size_t kMaxTokenBytes = 1024;

absl::StatusOr<std::string> ReadToken(const std::string& file) {
  COHORT_ASSIGN_OR_RETURN(std::string token, ReadFile(file));
  absl::StripAsciiWhitespace(&token);
  if (token.size() < kMinTokenBytes || token.size() > kMaxTokenBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": a token has ", kMinTokenBytes, " to ",
                     kMaxTokenBytes, " characters, this one ", token.size()));
  }
  for (const char c : token) {
    if (c <= ' ' || c > '~') {
      return absl::InvalidArgumentError(absl::StrCat(
          file, ": a token has printable ASCII characters and no spaces"));
    }
  }
  return token;
}

absl::StatusOr<std::string> ReadPem(const std::string& file) {
  COHORT_ASSIGN_OR_RETURN(std::string pem, ReadFile(file));
  if (pem.find("-----BEGIN ") == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": not PEM"));
  }
  return pem;
}

}  // namespace

absl::StatusOr<Credentials> LoadCredentials(const CredentialFiles& files) {
  Credentials credentials;
  if (!files.token_file.empty()) {
    COHORT_ASSIGN_OR_RETURN(credentials.token, ReadToken(files.token_file));
  }
  const int given = !files.tls_certificate.empty() + !files.tls_key.empty() +
                    !files.tls_authority.empty();
  if (given == 0) return credentials;
  if (given < 3) {
    return absl::InvalidArgumentError(
        "TLS needs tls_certificate, tls_key and tls_authority together");
  }
  COHORT_ASSIGN_OR_RETURN(credentials.certificate,
                          ReadPem(files.tls_certificate));
  COHORT_ASSIGN_OR_RETURN(credentials.key, ReadPem(files.tls_key));
  COHORT_ASSIGN_OR_RETURN(credentials.authority, ReadPem(files.tls_authority));
  return credentials;
}

void AddCredentialFlags(CredentialFiles* files, FlagParser* parser) {
  parser->Flag("token-file", &files->token_file, "FILE",
               "the token that calls carry");
  parser->Flag("tls-certificate", &files->tls_certificate, "FILE",
               "PEM; with --tls-key and --tls-authority, which signed it and "
               "the other side's");
  parser->Flag("tls-key", &files->tls_key, "FILE", "PEM");
  parser->Flag("tls-authority", &files->tls_authority, "FILE", "PEM");
}

std::shared_ptr<grpc::ServerCredentials> ServerSide(
    const Credentials& credentials) {
  if (!credentials.HasTls()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = credentials.authority;
  options.pem_key_cert_pairs.push_back(
      {credentials.key, credentials.certificate});
  return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> ClientSide(
    const Credentials& credentials) {
  if (!credentials.HasTls()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = credentials.authority;
  options.pem_private_key = credentials.key;
  options.pem_cert_chain = credentials.certificate;
  return grpc::SslCredentials(options);
}

CallGate::CallGate(const std::string& token)
    : expected_(token.empty() ? "" : absl::StrCat("Bearer ", token)) {}

grpc::Status CallGate::Check(const grpc::ServerContext& context) const {
  if (expected_.empty()) return grpc::Status::OK;
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("authorization");
  if (found != metadata.end() && found->second.size() == expected_.size() &&
      CRYPTO_memcmp(found->second.data(), expected_.data(), expected_.size()) ==
          0) {
    return grpc::Status::OK;
  }
  return grpc::Status(grpc::StatusCode::UNAUTHENTICATED,
                      found == metadata.end() ? "this server asks for a token"
                                              : "not this server's token");
}

}  // namespace cohort
