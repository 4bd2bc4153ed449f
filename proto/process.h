// How a process of ours that computes begins and ends.
#pragma once

namespace cohort {

// Makes the allocator keep what is freed, up to 256 MiB, and hand out blocks of
// up to 32 MiB from it. Each step asks for the same tensors again: given back
// to the kernel, all their pages would be faulted in anew, step by step.
void KeepFreedMemory();

// Ends the process with `exit_code` after flushing its output. Destroys no
// globals: taking LibTorch's registries apart lasts as long as a training step.
[[noreturn]] void EndProcess(int exit_code);

}  // namespace cohort
