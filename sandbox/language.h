// How programs of one language are compiled and run. A new language is a new
// entry of the table that these are read from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cohort {

struct Language {
  std::string name;
  std::vector<std::string> aliases;
  std::string source;  // What its file is called.
  // A shell line that makes `artifact` of `source` in the same folder; empty:
  // nothing is compiled. "{flags}" is where flags of a program go.
  std::string compile;
  std::string artifact;
  // What to execute, with the artifact (or the source) in the working folder;
  // empty: the artifact itself.
  std::vector<std::string> run;
  std::string zygote;  // The interpreter to warm; empty: none.
  // A header worth precompiling, "<bits/stdc++.h>" as it is included, and the
  // shell line that makes "header.gch" of "header.h".
  std::string header;
  std::string compile_header;
  std::vector<std::string> needs;     // Programs that must be there.
  std::vector<std::string> mounts;    // What runs read beside the common ones.
  std::vector<std::string> syscalls;  // Calls allowed beside the common ones.
  std::vector<std::string> env;       // "NAME=value", beside the common ones.
  int extra_processes = 0;            // Threads of the runtime itself.
  int64_t extra_memory_bytes = 0;     // Likewise.
};

// A table, and what is common to all of it.
struct LanguageTable {
  std::vector<std::string> mounts;
  std::vector<std::string> env;
  std::vector<Language> languages;

  // By name or alias; null: unknown.
  const Language* Find(const std::string& name) const;
};

// The first of `language.needs` that this machine lacks; empty: none.
std::string MissingTool(const Language& language);

}  // namespace cohort
