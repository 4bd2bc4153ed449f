#include "proto/credentials.h"

#include <string>

#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using testing::HasSubstr;

class CredentialsTest : public testing::Test {
 protected:
  absl::StatusOr<Credentials> LoadToken(const std::string& content) {
    return LoadCredentials({.token_file = dir_.Write("token", content),
                            .tls_certificate = "",
                            .tls_key = "",
                            .tls_authority = ""});
  }
  TempDir dir_;
};

TEST_F(CredentialsTest, ATokenIsItsLineWithoutTheLineEnd) {
  const auto loaded = LoadToken("correct-horse-battery\n");
  COHORT_ASSERT_OK(loaded);
  EXPECT_EQ(loaded->token, "correct-horse-battery");
  EXPECT_TRUE(loaded->Guarded());
  EXPECT_FALSE(loaded->HasTls());
}

TEST_F(CredentialsTest, ATokenThatIsNoneIsRefusedByItsFile) {
  for (const std::string& content :
       {std::string(), std::string("short"), std::string(2000, 'x'),
        std::string("two words are no token"),
        std::string("caf\xc3\xa9-caf\xc3\xa9-caf\xc3\xa9")}) {
    EXPECT_THAT(LoadToken(content), StatusIs(absl::StatusCode::kInvalidArgument,
                                             HasSubstr(dir_ / "token")));
  }
}

TEST_F(CredentialsTest, AMissingFileIsNamed) {
  CredentialFiles files;
  files.token_file = dir_ / "none";
  EXPECT_THAT(LoadCredentials(files),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(dir_ / "none")));
}

TEST_F(CredentialsTest, TlsNeedsItsThreeFiles) {
  CredentialFiles files;
  files.tls_key = dir_.Write("key", "-----BEGIN PRIVATE KEY-----\n");
  EXPECT_THAT(LoadCredentials(files),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("tls_certificate, tls_key and")));
  files.tls_certificate = dir_.Write("certificate", "not PEM");
  files.tls_authority = files.tls_certificate;
  EXPECT_THAT(LoadCredentials(files),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr(dir_ / "certificate")));
}

}  // namespace
}  // namespace cohort
