// Load on a reward server: many clients over loopback, each with a channel of
// its own, that know the verdict of every completion they send.
//
//   service_bench --address HOST:PORT [--clients 64] [--group 8]
//                 [--seconds 60] [--deadline-ms 1000] [--calls-per-s 0]
//
// A client makes its next call when it has the grades of the last and tries
// again what can be tried again; or, with --calls-per-s, calls go out at that
// rate, whatever comes back, and each once. Prints one JSON object. Exits 1 if
// a grade is missing, is one too many or is not the right one.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "nlohmann/json.hpp"
#include "proto/flags.h"
#include "proto/rewards.grpc.pb.h"
#include "proto/rpc.h"

namespace cohort {
namespace {

struct Flags {
  std::string address;
  int clients = 64;
  int group = 8;
  int seconds = 60;
  int deadline_ms = 1000;
  double calls_per_s = 0;
};

// A final answer in one of the notations that models use, and the same number
// in another.
struct Answers {
  std::string gold;
  std::string same;
  std::string other;
};

Answers MakeAnswers(int kind, int n) {
  switch (kind) {
    case 0:
      return {absl::StrCat(n), absl::StrCat(n, ".0"), absl::StrCat(n + 1)};
    case 1:
      return {absl::StrCat("\\frac{", n, "}{7}"), absl::StrCat(n, "/7"),
              absl::StrCat("\\dfrac{", n, "}{9}")};
    case 2:
      return {absl::StrCat(n, "\\sqrt{2}"), absl::StrCat("\\sqrt{2}\\cdot", n),
              absl::StrCat(n, "\\sqrt{3}")};
    case 3:
      return {absl::StrCat("(x+", n, ")^2"),
              absl::StrCat("x^2+", 2 * n, "x+", n * n),
              absl::StrCat("x^2+", 2 * n, "x-", n * n)};
    default:
      return {absl::StrCat("(", n, ",-1)"), absl::StrCat("(", n, ", -1)"),
              absl::StrCat("(-1,", n, ")")};
  }
}

// A group of completions that all differ, and what a right server says of them.
class Work {
 public:
  Work(int number, int group) {
    Prompt& prompt = *request_.mutable_prompt();
    prompt.set_id(absl::StrCat("load-", number));
    prompt.set_verifier("math");
    const int n = number % 900 + 13;
    const Answers answers = MakeAnswers(number % 5, n);
    prompt.set_answer(answers.gold);
    for (int i = 0; i < group; ++i) {
      const bool right = (number + i) % 3 != 0;
      const std::string& answer = right ? answers.same : answers.other;
      std::string text = "<think>";
      while (text.size() < 500) {
        absl::StrAppend(&text, "Step ", i, " leads to ", n, " and so on. ");
      }
      request_.add_completions(absl::StrCat(
          text, "</think>\nThe answer is $\\boxed{", answer, "}$."));
      extracted_.push_back(answer);
      right_.push_back(right);
    }
  }

  const GradeRequest& request() const { return request_; }

  // How many of the grades are not the one that is due at their place.
  int64_t WrongGrades(const GradeResponse& response) const {
    int64_t wrong = 0;
    for (int i = 0; i < response.grades_size(); ++i) {
      const bool known = i < static_cast<int>(right_.size());
      const Grade& grade = response.grades(i);
      if (!known || grade.extracted() != extracted_[i] ||
          grade.verdict() != (right_[i] ? VERDICT_CORRECT : VERDICT_WRONG)) {
        ++wrong;
      }
    }
    return wrong;
  }

 private:
  GradeRequest request_;
  std::vector<std::string> extracted_;
  std::vector<bool> right_;
};

// Thread-safe.
class Tally {
 public:
  void Count(const Work& work, const absl::Status& status, int attempts,
             const GradeResponse& response, absl::Duration elapsed,
             absl::Duration deadline) {
    absl::MutexLock lock(&mu_);
    ++calls_;
    retries_ += attempts - 1;
    // What the callers' own threads may add on a busy machine.
    late_ += elapsed > deadline + absl::Milliseconds(100);
    if (absl::IsResourceExhausted(status)) ++refused_;
    if (!status.ok()) {
      failed_ += !absl::IsResourceExhausted(status);
      return;
    }
    const int64_t due = work.request().completions_size();
    grades_ += response.grades_size();
    lost_ += std::max<int64_t>(0, due - response.grades_size());
    doubled_ += std::max<int64_t>(0, response.grades_size() - due);
    wrong_ += work.WrongGrades(response);
    ms_.push_back(absl::ToDoubleMilliseconds(elapsed));
  }

  nlohmann::ordered_json Report(absl::Duration elapsed) {
    absl::MutexLock lock(&mu_);
    std::sort(ms_.begin(), ms_.end());
    const double seconds = absl::ToDoubleSeconds(elapsed);
    return {{"seconds", seconds},
            {"calls", calls_},
            {"calls_per_s", static_cast<double>(calls_) / seconds},
            {"grades", grades_},
            {"grades_per_s", static_cast<double>(grades_) / seconds},
            {"p50_ms", Quantile(0.5)},
            {"p99_ms", Quantile(0.99)},
            {"max_ms", Quantile(1)},
            {"retries", retries_},
            {"refused", refused_},
            {"failed", failed_},
            {"late", late_},
            {"lost", lost_},
            {"doubled", doubled_},
            {"wrong", wrong_}};
  }

  bool AllRight() {
    absl::MutexLock lock(&mu_);
    return lost_ == 0 && doubled_ == 0 && wrong_ == 0;
  }

 private:
  double Quantile(double q) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (ms_.empty()) return 0;
    return ms_[static_cast<size_t>(q * static_cast<double>(ms_.size() - 1))];
  }

  absl::Mutex mu_;
  int64_t calls_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t retries_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t refused_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t failed_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t late_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t grades_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t lost_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t doubled_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t wrong_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<double> ms_ ABSL_GUARDED_BY(mu_);
};

std::vector<std::unique_ptr<Rewards::Stub>> MakeStubs(const Flags& flags) {
  std::vector<std::unique_ptr<Rewards::Stub>> stubs;
  for (int i = 0; i < flags.clients; ++i) {
    stubs.push_back(Rewards::NewStub(MakeChannel(flags.address)));
  }
  return stubs;
}

// One call after the other, until `end`.
void CallInTurn(const Flags& flags, const std::vector<Work>& works,
                Rewards::Stub* stub, size_t first, absl::Time end,
                Tally* tally) {
  const absl::Duration deadline = absl::Milliseconds(flags.deadline_ms);
  const RetryPolicy policy = {.call_timeout = deadline,
                              .total_timeout = absl::Minutes(1)};
  for (size_t k = first; absl::Now() < end; k += 97) {
    const Work& work = works[k % works.size()];
    const absl::Time start = absl::Now();
    GradeResponse response;
    int attempts = 0;
    absl::Duration longest;
    const absl::Status status =
        CallWithRetry(policy, [&](grpc::ClientContext& context) {
          ++attempts;
          response.Clear();
          const absl::Time begin = absl::Now();
          const grpc::Status answer =
              stub->Grade(&context, work.request(), &response);
          longest = std::max(longest, absl::Now() - begin);
          return answer;
        });
    // A call that was repeated is late if one attempt was.
    tally->Count(work, status, attempts, response,
                 attempts == 1 ? absl::Now() - start : longest, deadline);
  }
}

void CallAtRate(const Flags& flags, const std::vector<Work>& works,
                const std::vector<std::unique_ptr<Rewards::Stub>>& stubs,
                absl::Time end, Tally* tally) {
  struct Call {
    grpc::ClientContext context;
    GradeResponse response;
    absl::Time start;
  };
  const absl::Duration deadline = absl::Milliseconds(flags.deadline_ms);
  const absl::Duration gap = absl::Seconds(1) / flags.calls_per_s;
  std::atomic<int64_t> under_way = 0;
  absl::Time next = absl::Now();
  for (size_t k = 0; next < end; ++k, next += gap) {
    absl::SleepFor(next - absl::Now());
    const Work& work = works[k % works.size()];
    const auto call = std::make_shared<Call>();
    call->start = absl::Now();
    call->context.set_deadline(absl::ToChronoTime(call->start + deadline));
    ++under_way;
    stubs[k % stubs.size()]->async()->Grade(
        &call->context, &work.request(), &call->response,
        [&, call](const grpc::Status& status) {
          tally->Count(work, FromGrpcStatus(status), 1, call->response,
                       absl::Now() - call->start, deadline);
          --under_way;
        });
  }
  while (under_way > 0) absl::SleepFor(absl::Milliseconds(5));
}

int Run(const Flags& flags) {
  std::vector<Work> works;
  for (int i = 0; i < 1000; ++i) works.emplace_back(i, flags.group);
  const auto stubs = MakeStubs(flags);
  Tally tally;
  const absl::Time start = absl::Now();
  const absl::Time end = start + absl::Seconds(flags.seconds);
  if (flags.calls_per_s > 0) {
    CallAtRate(flags, works, stubs, end, &tally);
  } else {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < stubs.size(); ++i) {
      threads.emplace_back(
          [&, i] { CallInTurn(flags, works, stubs[i].get(), i, end, &tally); });
    }
  }
  std::puts(tally.Report(absl::Now() - start).dump().c_str());
  return tally.AllRight() ? 0 : 1;
}

}  // namespace
}  // namespace cohort

int main(int argc, char** argv) {
  cohort::Flags flags;
  cohort::FlagParser parser("service_bench", "Load on a reward server.");
  parser.Required("address", &flags.address, "HOST:PORT", "the server");
  parser.Flag("clients", &flags.clients, "N", "channels");
  parser.Flag("group", &flags.group, "N", "completions in a call");
  parser.Flag("seconds", &flags.seconds, "N", "how long");
  parser.Flag("deadline-ms", &flags.deadline_ms, "N", "of each call");
  parser.Flag("calls-per-s", &flags.calls_per_s, "R",
              "calls go out at this rate; 0: when the last one is back");
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (const auto exit = parser.Parse(args)) return *exit;
  return cohort::Run(flags);
}
