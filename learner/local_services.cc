#include "learner/local_services.h"

#include <signal.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "proto/child_process.h"
#include "proto/log.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr absl::Duration kStopPatience = absl::Seconds(5);
constexpr char kReadyPrefix[] = "listening on ";
constexpr char kRewards[] = "rewards";

// Whom a worker dials; empty: not known yet.
struct Addresses {
  std::string learner;
  std::string rewards;
};

// A child to be kept alive.
struct Service {
  std::string name;
  std::optional<ChildProcess> process;
  bool told = false;  // A worker: whom to dial.
  absl::Time started = absl::InfinitePast();
  absl::Time next_start = absl::InfinitePast();
  absl::Duration backoff;
  int failures = 0;
  bool given_up = false;
};

}  // namespace

// The thread, and what it shares with the others. Everything without
// ABSL_GUARDED_BY is the thread's own.
class LocalServices::Watcher {
 public:
  explicit Watcher(LocalServicesOptions options)
      : options_(std::move(options)), thread_([this] { Run(); }) {}

  ~Watcher() { Stop(); }

  absl::Status AwaitStarted() {
    started_.WaitForNotification();
    absl::MutexLock lock(&mu_);
    return start_status_;
  }

  void TellWorkers(const std::string& learner, const std::string& rewards) {
    absl::MutexLock lock(&mu_);
    addresses_ = {learner, rewards};
    awakened_ = true;
  }

  void Stop() {
    {
      absl::MutexLock lock(&mu_);
      stopping_ = true;
      awakened_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

  std::string rewards_address() const {
    absl::MutexLock lock(&mu_);
    return rewards_address_;
  }
  int64_t restarts() const {
    absl::MutexLock lock(&mu_);
    return restarts_;
  }
  double CpuSeconds() const {
    absl::MutexLock lock(&mu_);
    return cpu_seconds_;
  }

 private:
  void Run() {
    const absl::Status status = StartAll();
    {
      absl::MutexLock lock(&mu_);
      start_status_ = status;
    }
    started_.Notify();
    if (status.ok()) {
      while (!WaitForStop(options_.poll)) {
        for (Service& service : services_) {
          Watch(&service);
          Tell(&service);
        }
        CountCpu();
      }
    }
    StopAll();
  }

  absl::Status StartAll() {
    for (int i = 0; i < options_.workers; ++i) {
      services_.emplace_back().name = absl::StrCat("worker-", i);
    }
    if (options_.reward_server) services_.emplace_back().name = kRewards;
    for (Service& service : services_) {
      service.backoff = options_.first_backoff;
      COHORT_RETURN_IF_ERROR(StartFirst(&service));
    }
    return absl::OkStatus();
  }

  // One that is killed before it was ready is started again; one that cannot be
  // started at all is an error.
  absl::Status StartFirst(Service* service) {
    while (true) {
      absl::Status status = StartOne(service);
      if (!absl::IsUnavailable(status)) return status;
      NoteFailure(service, status);
      if (service->given_up) return status;
      if (WaitForStop(service->next_start - absl::Now())) return status;
    }
  }

  absl::Status StartOne(Service* service) {
    service->started = absl::Now();
    service->told = false;
    const std::string log =
        absl::StrCat(options_.logs_dir, "/", service->name, ".log");
    if (service->name != kRewards) {
      std::vector<std::string> args = {options_.bin_dir + "/cohort-rollout",
                                       "rollout-worker",
                                       "--name",
                                       service->name,
                                       "--learner",
                                       "-",
                                       "--rewards",
                                       "-"};
      args.insert(args.end(), options_.worker_arguments.begin(),
                  options_.worker_arguments.end());
      COHORT_ASSIGN_OR_RETURN(service->process,
                              ChildProcess::StartToTell(args, log));
      return absl::OkStatus();
    }
    // The workers know one address, so a new server takes the old one's port.
    const std::string address = rewards_address();
    std::vector<std::string> args = {options_.bin_dir + "/cohort-rewards",
                                     "reward-server", "--listen",
                                     address.empty() ? "127.0.0.1:0" : address};
    args.insert(args.end(), options_.reward_arguments.begin(),
                options_.reward_arguments.end());
    COHORT_ASSIGN_OR_RETURN(
        service->process,
        ChildProcess::Start(args, log, kReadyPrefix, options_.ready_timeout));
    absl::MutexLock lock(&mu_);
    rewards_address_ =
        std::string(absl::StripAsciiWhitespace(service->process->ready_line()));
    return absl::OkStatus();
  }

  void Tell(Service* service) {
    if (service->told || service->name == kRewards) return;
    Addresses addresses;
    {
      absl::MutexLock lock(&mu_);
      addresses = addresses_;
    }
    if (addresses.learner.empty() || !service->process.has_value()) return;
    service->process->Tell(addresses.learner);
    service->process->Tell(addresses.rewards);
    service->told = true;
  }

  void Watch(Service* service) {
    if (service->given_up) return;
    if (service->process.has_value()) {
      if (service->process->Running()) return;
      cpu_seconds_of_dead_ += service->process->CpuSeconds();
      const std::string how = service->process->HowItEnded();
      service->process.reset();
      NoteFailure(service, absl::UnavailableError(
                               absl::StrCat(service->name, " ended: ", how)));
      return;
    }
    if (absl::Now() < service->next_start) return;
    if (const absl::Status status = StartOne(service); !status.ok()) {
      NoteFailure(service, status);
      return;
    }
    COHORT_LOG(WARNING) << "service started again name=" << service->name;
    absl::MutexLock lock(&mu_);
    ++restarts_;
  }

  void NoteFailure(Service* service, const absl::Status& status) {
    const absl::Time now = absl::Now();
    if (now - service->started >= options_.healthy_after) {
      service->failures = 0;
      service->backoff = options_.first_backoff;
    }
    ++service->failures;
    if (service->failures >= options_.max_failures) {
      service->given_up = true;
      const absl::Status last =
          absl::Status(status.code(),
                       absl::StrCat(status.message(), " (", service->failures,
                                    " times in a row; see ", options_.logs_dir,
                                    "/", service->name, ".log)"));
      COHORT_LOG(ERROR) << "service given up name=" << service->name
                        << " reason=\"" << last.message() << '"';
      if (options_.on_give_up) options_.on_give_up(last);
      return;
    }
    COHORT_LOG(WARNING) << "service failed, will be started again name="
                        << service->name << " reason=\"" << status.message()
                        << "\" in=" << service->backoff;
    service->next_start = now + service->backoff;
    service->backoff = std::min(2 * service->backoff, options_.max_backoff);
  }

  void CountCpu() {
    double seconds = cpu_seconds_of_dead_;
    for (Service& service : services_) {
      if (service.process.has_value()) seconds += service.process->CpuSeconds();
    }
    absl::MutexLock lock(&mu_);
    cpu_seconds_ = seconds;
  }

  // All get the signal at once; the workers are waited for first, because they
  // may still have groups to be graded.
  void StopAll() {
    for (Service& service : services_) {
      if (service.process.has_value() && service.process->Running()) {
        kill(service.process->pid(), SIGTERM);
      }
    }
    for (auto service = services_.rbegin(); service != services_.rend();
         ++service) {
      if (service->process.has_value()) service->process->Stop(kStopPatience);
    }
    CountCpu();
    services_.clear();
  }

  // Returns early when there is news.
  bool WaitForStop(absl::Duration timeout) {
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(absl::Condition(&awakened_), timeout);
    awakened_ = stopping_;
    return stopping_;
  }

  const LocalServicesOptions options_;
  std::vector<Service> services_;
  double cpu_seconds_of_dead_ = 0;
  absl::Notification started_;

  mutable absl::Mutex mu_;
  absl::Status start_status_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool awakened_ ABSL_GUARDED_BY(mu_) = false;  // Stopping, or addresses came.
  Addresses addresses_ ABSL_GUARDED_BY(mu_);
  std::string rewards_address_ ABSL_GUARDED_BY(mu_);
  int64_t restarts_ ABSL_GUARDED_BY(mu_) = 0;
  double cpu_seconds_ ABSL_GUARDED_BY(mu_) = 0;

  std::jthread thread_;  // Last: it uses all of the above.
};

LocalServices::LocalServices(LocalServicesOptions options)
    : watcher_(std::make_unique<Watcher>(std::move(options))) {}

LocalServices::~LocalServices() = default;

absl::Status LocalServices::AwaitStarted() { return watcher_->AwaitStarted(); }

void LocalServices::TellWorkers(const std::string& learner,
                                const std::string& rewards) {
  watcher_->TellWorkers(learner, rewards);
}

void LocalServices::Stop() { watcher_->Stop(); }

std::string LocalServices::rewards_address() const {
  return watcher_->rewards_address();
}

int64_t LocalServices::restarts() const { return watcher_->restarts(); }

double LocalServices::CpuSeconds() const { return watcher_->CpuSeconds(); }

}  // namespace cohort
