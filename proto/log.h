// Logs for people: one line and one write each, to stderr.
//
//   2026-11-24T18:20:00.123Z I learner trainer.cc:41] step done reward=0.41
#pragma once

#include <ostream>
#include <sstream>
#include <string_view>

namespace cohort {

enum class LogSeverity { kInfo, kWarning, kError };

// Names this process in every line ("learner", "rollout w0"). Call before any
// thread is started.
void SetLogName(std::string_view name);

// Lines below `severity` are left out. Call before any thread is started.
void SetMinLogSeverity(LogSeverity severity);

// Collects one line and writes it when destroyed. Used through COHORT_LOG.
class LogLine {
 public:
  LogLine(LogSeverity severity, std::string_view file, int line);
  ~LogLine();
  LogLine(const LogLine&) = delete;
  LogLine& operator=(const LogLine&) = delete;
  std::ostream& stream() { return stream_; }

 private:
  LogSeverity severity_;
  std::ostringstream stream_;
};

}  // namespace cohort

#define COHORT_LOG_INFO ::cohort::LogSeverity::kInfo
#define COHORT_LOG_WARNING ::cohort::LogSeverity::kWarning
#define COHORT_LOG_ERROR ::cohort::LogSeverity::kError

// COHORT_LOG(INFO) << "sentence key=" << value;
#define COHORT_LOG(severity) \
  ::cohort::LogLine(COHORT_LOG_##severity, __FILE__, __LINE__).stream()
