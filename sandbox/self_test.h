// A look at the jail from inside, before anything untrusted is let in.
#pragma once

#include <string>

#include "sandbox/runner.h"

namespace cohort {

// Tries a few ways out and reads what the kernel says about a run. Empty where
// all is shut; else the first that is not.
std::string SelfTestFlaw(Sandbox* sandbox);

}  // namespace cohort
