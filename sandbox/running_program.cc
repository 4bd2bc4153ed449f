#include "sandbox/running_program.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "sandbox/fd_message.h"

namespace cohort {
namespace {

constexpr size_t kFrameHeader = 4;

std::string Header(size_t size) {
  std::string header(kFrameHeader, '\0');
  for (size_t i = 0; i < kFrameHeader; ++i) {
    header[i] = static_cast<char>(size >> (8 * (kFrameHeader - 1 - i)));
  }
  return header;
}

size_t FrameSize(std::string_view header) {
  size_t size = 0;
  for (size_t i = 0; i < kFrameHeader; ++i) {
    size = size << 8 | static_cast<unsigned char>(header[i]);
  }
  return size;
}

}  // namespace

absl::string_view VerdictCode(RunVerdict verdict) {
  switch (verdict) {
    case RunVerdict::kAC:
      return "AC";
    case RunVerdict::kWA:
      return "WA";
    case RunVerdict::kRE:
      return "RE";
    case RunVerdict::kTLE:
      return "TLE";
    case RunVerdict::kOLE:
      return "OLE";
    case RunVerdict::kMLE:
      return "MLE";
    case RunVerdict::kCE:
      return "CE";
    case RunVerdict::kSV:
      return "SV";
    case RunVerdict::kIE:
      return "IE";
  }
  return "IE";
}

RunningProgram::RunningProgram(RunEnds ends, std::string input,
                               const Limits& limits,
                               std::function<void()> released)
    : ends_(std::move(ends)),
      input_(std::move(input)),
      limits_(limits),
      released_(std::move(released)) {
  PumpInput();
}

RunningProgram::~RunningProgram() {
  if (end_.has_value()) return;
  Kill();
  while (!end_.has_value()) Pump(/*wait_for_end=*/true);
}

void RunningProgram::Kill() {
  if (asked_to_end_ || end_.has_value()) return;
  asked_to_end_ = true;
  // Not a message: one that nobody reads any more would cost us the RunEnd.
  shutdown(ends_.control.get(), SHUT_WR);
}

bool RunningProgram::Send(std::string_view frame) {
  sending_ = absl::StrCat(Header(frame.size()),
                          absl::string_view(frame.data(), frame.size()));
  PumpChannel();
  while (!sending_.empty() && ends_.channel.get() >= 0 && !end_.has_value()) {
    Pump(/*wait_for_end=*/false);
  }
  return sending_.empty();
}

std::optional<std::string> RunningProgram::Receive(size_t max_bytes) {
  while (true) {
    if (received_.size() >= kFrameHeader) {
      const size_t size = FrameSize(received_);
      if (size > max_bytes) {
        Kill();
        return std::nullopt;
      }
      if (received_.size() >= kFrameHeader + size) {
        std::string frame = received_.substr(kFrameHeader, size);
        received_.erase(0, kFrameHeader + size);
        return frame;
      }
    }
    if (end_.has_value() || ends_.channel.get() < 0) return std::nullopt;
    Pump(/*wait_for_end=*/false);
  }
}

Outcome RunningProgram::Finish() {
  ends_.channel = Descriptor();
  while (!end_.has_value()) Pump(/*wait_for_end=*/true);
  Outcome outcome = Judge();
  outcome.out = std::move(out_);
  outcome.err = std::move(err_);
  return outcome;
}

void RunningProgram::Pump(bool wait_for_end) {
  const short channel_events =
      static_cast<short>(sending_.empty() ? POLLIN : POLLIN | POLLOUT);
  pollfd polled[] = {
      {ends_.control.get(), POLLIN, 0},
      {ends_.out.get(), POLLIN, 0},
      {ends_.err.get(), POLLIN, 0},
      {ends_.in.get(), POLLOUT, 0},
      {wait_for_end ? -1 : ends_.channel.get(), channel_events, 0}};
  if (poll(polled, std::size(polled), -1) < 0) return;
  if (polled[1].revents != 0) PumpStream(&ends_.out, &out_);
  if (polled[2].revents != 0) PumpStream(&ends_.err, &err_);
  if (polled[3].revents != 0) PumpInput();
  if (polled[4].revents != 0) PumpChannel();
  if (polled[0].revents != 0) TakeEnd();
}

// Takes what is there, up to the limit and a byte beyond it.
void RunningProgram::PumpStream(Descriptor* stream, std::string* text) {
  char bytes[1 << 16];
  while (stream->get() >= 0) {
    const ssize_t size = read(stream->get(), bytes, sizeof(bytes));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) {
      *stream = Descriptor();
      return;
    }
    const auto limit = static_cast<size_t>(limits_.output_bytes);
    const size_t room = limit - std::min(limit, text->size());
    text->append(bytes, std::min(room, static_cast<size_t>(size)));
    if (static_cast<size_t>(size) > room) {
      overflowed_ = true;
      *stream = Descriptor();
      Kill();
    }
  }
}

void RunningProgram::PumpInput() {
  while (input_written_ < input_.size()) {
    const ssize_t size = write(ends_.in.get(), input_.data() + input_written_,
                               input_.size() - input_written_);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) break;  // It does not read; that is its own affair.
    input_written_ += static_cast<size_t>(size);
  }
  ends_.in = Descriptor();
}

void RunningProgram::PumpChannel() {
  char bytes[1 << 16];
  while (!sending_.empty()) {
    const ssize_t size = send(ends_.channel.get(), sending_.data(),
                              sending_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0) break;
    sending_.erase(0, static_cast<size_t>(size));
  }
  while (true) {
    const ssize_t size =
        recv(ends_.channel.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) {
      ends_.channel = Descriptor();
      return;
    }
    received_.append(bytes, static_cast<size_t>(size));
  }
}

// With the end of a run all its descriptors are closed: what is in the pipes
// now is all there will be.
void RunningProgram::TakeEnd() {
  const std::optional<FdMessage> message =
      ReceiveFdMessage(ends_.control.get());
  RunEnd end;
  if (message.has_value() && message->bytes.size() == sizeof(end)) {
    std::memcpy(&end, message->bytes.data(), sizeof(end));
  } else {
    std::strcpy(end.report.step, "the launcher is gone");
    end.report.kind = ReportKind::kFailed;
  }
  PumpStream(&ends_.out, &out_);
  PumpStream(&ends_.err, &err_);
  if (ends_.channel.get() >= 0) PumpChannel();
  end_ = end;
  if (released_) released_();
}

Outcome RunningProgram::Judge() const {
  const RunReport& report = end_->report;
  Outcome outcome;
  outcome.cpu = absl::Nanoseconds(end_->cpu_ns);
  outcome.wall = absl::Nanoseconds(end_->wall_ns);
  outcome.peak_memory_bytes = end_->peak_memory_bytes;
  outcome.disk_bytes = report.disk_bytes;
  outcome.oom_kills = end_->oom_kills;
  outcome.leaks = end_->leaks;
  if (report.kind != ReportKind::kEnded) {
    outcome.signal = SIGKILL;
  } else if (WIFEXITED(report.wait_status)) {
    outcome.exit_code = WEXITSTATUS(report.wait_status);
  } else {
    outcome.signal = WTERMSIG(report.wait_status);
  }
  std::tie(outcome.verdict, outcome.reason) = Verdict(outcome);
  return outcome;
}

// The first that holds, the strongest first.
std::pair<RunVerdict, std::string> RunningProgram::Verdict(
    const Outcome& outcome) const {
  const RunReport& report = end_->report;
  const bool ended = report.kind == ReportKind::kEnded;
  if (report.kind == ReportKind::kFailed) {
    return {RunVerdict::kIE,
            absl::StrCat(report.step, report.error == 0 ? "" : ": ",
                         report.error == 0 ? "" : strerror(report.error))};
  }
  if (outcome.signal == SIGSYS) {
    return {RunVerdict::kSV, "a forbidden system call"};
  }
  if (end_->oom_kills > 0) {
    return {RunVerdict::kMLE, absl::StrCat("more than ", limits_.memory_bytes,
                                           " bytes of memory")};
  }
  if (overflowed_) {
    return {RunVerdict::kOLE, absl::StrCat("more than ", limits_.output_bytes,
                                           " bytes of output")};
  }
  if (outcome.signal == SIGXFSZ ||
      (ended && report.disk_full != 0 && report.wait_status != 0)) {
    return {RunVerdict::kOLE,
            absl::StrCat("more than ", limits_.disk_bytes, " bytes in files")};
  }
  if (end_->reason == EndReason::kCpu || outcome.cpu >= limits_.cpu) {
    return {RunVerdict::kTLE,
            absl::StrCat("CPU time ", absl::FormatDuration(limits_.cpu))};
  }
  if (end_->reason == EndReason::kWall) {
    return {RunVerdict::kTLE,
            absl::StrCat("wall time ", absl::FormatDuration(limits_.wall))};
  }
  if (!ended && !asked_to_end_) {
    return {RunVerdict::kIE, "the run's init vanished"};
  }
  if (outcome.signal != 0) {
    return {RunVerdict::kRE, absl::StrCat("signal ", outcome.signal, " (",
                                          strsignal(outcome.signal), ")")};
  }
  if (outcome.exit_code != 0) {
    return {RunVerdict::kRE, absl::StrCat("exit code ", outcome.exit_code)};
  }
  return {RunVerdict::kAC, ""};
}

}  // namespace cohort
