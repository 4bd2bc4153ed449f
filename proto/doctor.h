// What the `doctor` verbs of all binaries print: one line
// `ok|missing name detail` for each thing.
#pragma once

#include <string>

namespace cohort {

// Prints one line. Returns `ok`.
bool Report(bool ok, const std::string& name, const std::string& detail);

// Reports whether a server of ours can listen on this machine.
bool ReportLoopback();

}  // namespace cohort
