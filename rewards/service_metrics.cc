#include "rewards/service_metrics.h"

#include <exception>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/collectable.h"
#include "prometheus/counter.h"
#include "prometheus/exposer.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"
#include "proto/rows.h"

namespace cohort {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Histogram;
using prometheus::MetricFamily;
using prometheus::Registry;

const Histogram::BucketBoundaries& SecondsBuckets() {
  static const Histogram::BucketBoundaries* const kBuckets =
      new Histogram::BucketBoundaries{
          0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
          0.25,   0.5,     1,      2.5,   5,      10,    30,   60,    120};
  return *kBuckets;
}

}  // namespace

// Gauges whose value is asked for.
class ServiceMetrics::Watched : public prometheus::Collectable {
 public:
  void Add(const std::string& name, const std::string& help,
           const std::map<std::string, std::string>& labels,
           std::function<double()> read) {
    absl::MutexLock lock(&mu_);
    sources_.push_back({name, help, {}, std::move(read)});
    for (const auto& [label, value] : labels) {
      sources_.back().labels.push_back({label, value});
    }
  }

  std::vector<MetricFamily> Collect() const override {
    absl::MutexLock lock(&mu_);
    std::vector<MetricFamily> families;
    for (const Source& source : sources_) {
      if (families.empty() || families.back().name != source.name) {
        families.emplace_back();
        families.back().name = source.name;
        families.back().help = source.help;
        families.back().type = prometheus::MetricType::Gauge;
      }
      prometheus::ClientMetric& metric = families.back().metric.emplace_back();
      metric.label = source.labels;
      metric.gauge.value = source.read();
    }
    return families;
  }

 private:
  struct Source {
    std::string name;
    std::string help;
    std::vector<prometheus::ClientMetric::Label> labels;
    std::function<double()> read;
  };

  mutable absl::Mutex mu_;
  std::vector<Source> sources_ ABSL_GUARDED_BY(mu_);
};

struct ServiceMetrics::Families {
  // Shared with the HTTP server's threads, which collect from both.
  std::shared_ptr<Registry> registry = std::make_shared<Registry>();
  std::shared_ptr<Watched> watched = std::make_shared<Watched>();
  Family<Counter>& calls =
      BuildCounter()
          .Name("cohort_rewards_calls_total")
          .Help("Calls of Grade by verifier and status code.")
          .Register(*registry);
  Family<Histogram>& seconds =
      BuildHistogram()
          .Name("cohort_rewards_call_seconds")
          .Help("Time from a call's arrival to its answer, waiting included.")
          .Register(*registry);
  Family<Counter>& grades =
      BuildCounter()
          .Name("cohort_rewards_grades_total")
          .Help("Completions graded, by verifier and verdict.")
          .Register(*registry);
  Family<Counter>& audits =
      BuildCounter()
          .Name("cohort_rewards_audits_total")
          .Help("Completions that a second grader judged too, by outcome.")
          .Register(*registry);
  std::unique_ptr<prometheus::Exposer> exposer;
};

ServiceMetrics::ServiceMetrics() : families_(std::make_unique<Families>()) {}

ServiceMetrics::~ServiceMetrics() = default;

void ServiceMetrics::CountCall(const std::string& verifier,
                               absl::StatusCode code, absl::Duration elapsed) {
  families_->calls
      .Add({{"verifier", verifier}, {"code", absl::StatusCodeToString(code)}})
      .Increment();
  families_->seconds.Add({{"verifier", verifier}}, SecondsBuckets())
      .Observe(absl::ToDoubleSeconds(elapsed));
}

void ServiceMetrics::CountGrade(const std::string& verifier,
                                const Grade& grade) {
  families_->grades
      .Add({{"verifier", verifier},
            {"verdict", std::string(VerdictName(grade.verdict()))}})
      .Increment();
}

void ServiceMetrics::CountAudit(const std::string& verifier, bool agreed) {
  families_->audits
      .Add({{"verifier", verifier},
            {"outcome", agreed ? "agreed" : "disagreed"}})
      .Increment();
}

void ServiceMetrics::Watch(const std::string& name, const std::string& help,
                           const std::map<std::string, std::string>& labels,
                           std::function<double()> read) {
  families_->watched->Add(name, help, labels, std::move(read));
}

absl::StatusOr<int> ServiceMetrics::Serve(int port) {
  // The HTTP server says by an exception that it cannot listen.
  try {
    families_->exposer = std::make_unique<prometheus::Exposer>(
        absl::StrCat("127.0.0.1:", port), /*num_threads=*/1);
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on 127.0.0.1:", port, " for metrics: ", error.what()));
  }
  families_->exposer->RegisterCollectable(families_->registry);
  families_->exposer->RegisterCollectable(families_->watched);
  return families_->exposer->GetListeningPorts().at(0);
}

std::string ServiceMetrics::Text() const {
  std::vector<MetricFamily> all = families_->registry->Collect();
  for (MetricFamily& family : families_->watched->Collect()) {
    all.push_back(std::move(family));
  }
  return prometheus::TextSerializer().Serialize(all);
}

}  // namespace cohort
