// A program while it runs: its input, its output and its channel.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/types/span.h"
#include "proto/descriptor.h"
#include "sandbox/launch_protocol.h"
#include "sandbox/limits.h"
#include "sandbox/outcome.h"

namespace cohort {

// Its ends of a run's pipes and sockets.
struct RunEnds {
  Descriptor in;
  Descriptor out;
  Descriptor err;
  Descriptor channel;  // Where it has one.
  Descriptor control;  // To the launcher.
};

// Every call that waits takes in whatever the program writes meanwhile, so
// that no pipe fills up. The launcher ends the program at its limits, so that
// nothing waits for ever. Ends the program when it goes.
class RunningProgram {
 public:
  // `released` is called once, when the run has left the launcher.
  RunningProgram(RunEnds ends, std::string input, const Limits& limits,
                 std::function<void()> released);
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;
  ~RunningProgram();

  // One frame to the channel. False: the program has closed it or ended.
  bool Send(std::string_view frame);

  // The next frame from the channel. Nothing: the program has closed it, has
  // ended or has said what is no frame of at most `max_bytes`; it is then good
  // for Finish() alone.
  std::optional<std::string> Receive(size_t max_bytes);

  // Waits for the end and says what happened.
  Outcome Finish();

  // Ends it at once; Finish() then tells of what it had written before.
  void Kill();

 private:
  void Pump(bool wait_for_end);
  void PumpStream(Descriptor* stream, std::string* text);
  void PumpInput();
  void PumpChannel();
  void TakeEnd();
  Outcome Judge() const;
  std::pair<RunVerdict, std::string> Verdict(const Outcome& outcome) const;

  RunEnds ends_;
  std::string input_;
  size_t input_written_ = 0;
  const Limits limits_;
  std::function<void()> released_;
  std::string received_;  // From the channel, not yet a whole frame.
  std::string sending_;   // To the channel, not yet taken.
  std::string out_;
  std::string err_;
  bool overflowed_ = false;
  bool asked_to_end_ = false;
  std::optional<RunEnd> end_;
};

}  // namespace cohort
