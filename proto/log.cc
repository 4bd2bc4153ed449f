#include "proto/log.h"

#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace cohort {
namespace {

// Written before threads start, read by all of them.
std::string& LogName() {
  static std::string name = "cohort";
  return name;
}

LogSeverity& MinSeverity() {
  static LogSeverity severity = LogSeverity::kInfo;
  return severity;
}

std::string_view BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

void SetLogName(std::string_view name) { LogName() = std::string(name); }

void SetMinLogSeverity(LogSeverity severity) { MinSeverity() = severity; }

LogLine::LogLine(LogSeverity severity, std::string_view file, int line)
    : severity_(severity) {
  stream_ << absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(),
                              absl::UTCTimeZone())
          << ' ' << "IWE"[static_cast<int>(severity)] << ' ' << LogName() << ' '
          << BaseName(file) << ':' << line << "] ";
}

LogLine::~LogLine() {
  if (severity_ < MinSeverity()) return;
  stream_ << '\n';
  const std::string text = stream_.str();
  // A log that cannot be written must not stop the work.
  [[maybe_unused]] const ssize_t written =
      ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace cohort
