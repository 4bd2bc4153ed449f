// What a Lean 4 REPL is asked, and what its reply says of a proof.
//
// Source: DeepSeek-Prover-V1.5 (arXiv:2408.08152), whose verifier calls a proof
// complete when no message is an error, nothing is left `sorry`, and no warning
// says so; the further checks answer the tricks with which a policy under
// reinforcement learning met that contract (DeepSeek-Prover-V2,
// arXiv:2504.21801).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace cohort {

struct LeanTask {
  std::string header;     // Imports and options, before the statement.
  std::string statement;  // "theorem name ... := by": must stand unchanged.
  std::string name;       // The theorem's; read from the statement.
};

// Reads the name out of the statement. kInvalidArgument: it has none.
absl::StatusOr<LeanTask> MakeLeanTask(std::string header,
                                      std::string statement);

// Why `proof` is not even tried: a word that can end a proof without one, or
// another statement. Empty: it may be tried.
std::string LeanProofFlaw(const LeanTask& task, std::string_view proof);

// The command for the REPL; it also asks for the axioms that were used.
std::string LeanRequest(const LeanTask& task, std::string_view proof);

// What a reply means.
struct LeanReply {
  bool pass = false;      // No error.
  bool complete = false;  // And nothing left open, by sound axioms alone.
  std::string reason;     // Why it is not complete.
};

// kInvalidArgument: no reply of a REPL; kUnavailable: the REPL itself ran out
// of threads or memory, and the proof may be tried again.
absl::StatusOr<LeanReply> ReadLeanReply(const LeanTask& task,
                                        std::string_view reply);

}  // namespace cohort
