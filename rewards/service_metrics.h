// What the reward server counts, for Prometheus.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/types.pb.h"

namespace cohort {

// Thread-safe. Names begin with cohort_rewards_, but those that are watched.
class ServiceMetrics {
 public:
  ServiceMetrics();
  ~ServiceMetrics();

  // One call that took `elapsed` and ended with `code`.
  void CountCall(const std::string& verifier, absl::StatusCode code,
                 absl::Duration elapsed);
  void CountGrade(const std::string& verifier, const Grade& grade);
  // One completion that a second grader judged too.
  void CountAudit(const std::string& verifier, bool agreed);

  // A number that is read when it is asked for. `read` must be thread-safe and
  // outlive this.
  void Watch(const std::string& name, const std::string& help,
             std::function<double()> read) {
    Watch(name, help, {}, std::move(read));
  }
  // The same with labels; those of one name are added one after the other.
  void Watch(const std::string& name, const std::string& help,
             const std::map<std::string, std::string>& labels,
             std::function<double()> read);

  // Answers GET /metrics on 127.0.0.1 until this goes; port 0 takes a free one.
  // Returns the port in force.
  //   kUnavailable  the port is in use
  absl::StatusOr<int> Serve(int port);

  // As Prometheus reads it (text exposition format 0.0.4).
  std::string Text() const;

 private:
  class Watched;
  struct Families;

  std::unique_ptr<Families> families_;
};

}  // namespace cohort
