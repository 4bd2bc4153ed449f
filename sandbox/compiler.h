// Source text -> a program that can be run many times.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "sandbox/runner.h"

namespace cohort {

struct CompileLimits {
  absl::Duration cpu = absl::Seconds(10);
  int64_t memory_bytes = int64_t{512} << 20;
};

struct Source {
  std::string language;
  std::string text;
  std::string flags;  // Beside the language's own, "-pthread -lm".
};

// The most bytes of a source text.
inline constexpr size_t kMaxSourceBytes = 1 << 20;

// What became of a source. `outcome` is AC where `program` can be run, CE where
// the source is at fault, and IE where we are.
struct Compiled {
  Program program;
  Outcome outcome;
};

// Thread-safe. Compiles in the jail, each source once: what came out is kept by
// language, flags and text, the oldest going first.
class Compiler {
 public:
  // `sandbox` must outlive it.
  explicit Compiler(Sandbox* sandbox) : sandbox_(*sandbox) {}

  // Blocks while it is compiled, here or in another thread.
  Compiled Compile(const Source& source, const CompileLimits& limits)
      ABSL_LOCKS_EXCLUDED(mu_);

  struct Figures {
    int64_t hits = 0;
    int64_t misses = 0;
  };
  Figures figures() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Entry {
    bool done = false;
    Compiled compiled;
  };
  using Entries = std::map<std::string, std::shared_ptr<Entry>>;

  Compiled Build(const Language& language, const Source& source,
                 const CompileLimits& limits);
  void PrecompileHeader(const Language& language, const Source& source)
      ABSL_LOCKS_EXCLUDED(header_mu_);

  Sandbox& sandbox_;
  absl::Mutex header_mu_;
  std::map<std::string, bool> headers_ ABSL_GUARDED_BY(header_mu_);
  mutable absl::Mutex mu_;
  // Shared with the threads that wait for an entry.
  Entries entries_ ABSL_GUARDED_BY(mu_);
  std::list<std::string> order_ ABSL_GUARDED_BY(mu_);
  Figures figures_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cohort
