// The prompts of `cohort eval`, made from a task file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/prompt_encoder.h"
#include "proto/types.pb.h"
#include "rollout/task_format.h"

namespace cohort {

// Reads the tasks of a file, their prompts written as `format` says; the first
// `limit` where that is not 0.
//   kNotFound         no such file
//   kInvalidArgument  "<file>:<line>: ...", "<file>: prompt <id>: ..." or no
//                     tasks at all
absl::StatusOr<std::vector<Prompt>> ReadTasks(const std::string& path,
                                              const TaskFormat& format,
                                              int64_t limit);

// Tokenizes every task. With `as_chat`, a task's text becomes the user's
// message first, for the folder's chat template. Tasks of more than
// `max_tokens` tokens leave the list; returns their ids.
//   kNotFound         `as_chat`, and the folder has no chat template
//   kInvalidArgument  "prompt <id>: ..."
absl::StatusOr<std::vector<std::string>> EncodeTasks(
    PromptEncoder* encoder, bool as_chat, int64_t max_tokens,
    std::vector<Prompt>* tasks);

}  // namespace cohort
