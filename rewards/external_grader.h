// A reward of the user's own, behind the same gRPC protocol.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proto/credentials.h"
#include "proto/rewards.grpc.pb.h"
#include "rewards/grader.h"

namespace cohort {

// Sends prompt and completions to another server of proto/rewards.proto and
// hands on its grades; scripts/external_verifier.py is an example of one. Calls
// are tried again, with jitter, until the deadline; a server that cannot be had
// or answers otherwise than asked gives grades of `infra_error`, which never
// count as 0.
class ExternalGrader : public Grader {
 public:
  // `address` HOST:PORT; empty: every prompt is refused.
  ExternalGrader(const std::string& address, const Credentials& credentials);

  absl::Status CheckPrompt(const Prompt& prompt) const override;
  absl::StatusOr<Grade> GradeOne(const Prompt& prompt,
                                 const Completion& completion,
                                 absl::Time deadline) const override;
  absl::StatusOr<std::vector<Grade>> GradeMany(
      const Prompt& prompt, absl::Span<const Completion> completions,
      absl::Time deadline) const override;
  GradingPlace place() const override { return GradingPlace::kElsewhere; }

 private:
  std::unique_ptr<Rewards::Stub> stub_;  // Null without an address.
};

}  // namespace cohort
