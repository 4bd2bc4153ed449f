// Groups as text for a terminal.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "learner/advantage.h"
#include "learner/experience_store.h"
#include "model/tokenizer.h"
#include "proto/types.pb.h"

namespace cohort {

// Line ends and other control characters as \n and \x07: what a model writes
// never steers the terminal.
std::string OneLine(const std::string& text);

// Prints groups. Without colour the text is plain; with colour, advantages are
// green above 0 and red below, and where there is a tokenizer every token of a
// completion is coloured by the probability it was sampled with.
class GroupPrinter {
 public:
  GroupPrinter(bool color, std::unique_ptr<Tokenizer> tokenizer);

  // Says what the colours of tokens mean; empty where there are none.
  std::string Legend() const;

  // The prompt, then a line for each of the siblings.
  //   mismatches: per member, the mean |learner's - sampler's| log-probability
  //   of a token in nats, below 0 where it is not known; empty: none is
  void Append(const GroupRow& row, const Group& group, AdvantageNorm norm,
              const std::vector<double>& mismatches, std::string* text) const;

 private:
  void AppendMember(const Group& group, int member,
                    const std::string& advantage, const std::string& mismatch,
                    std::string* text) const;
  std::string CompletionText(const Trajectory& trajectory) const;
  std::string Colored(const char* code, const std::string& text) const;

  const bool color_;
  const std::unique_ptr<Tokenizer> tokenizer_;  // Null: tokens are not known.
};

}  // namespace cohort
