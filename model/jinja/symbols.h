// The variables of one scope, as the analysis of its nodes finds them.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/jinja/ast.h"

namespace cohort::jinja {

// Names as small numbers.
class NameTable {
 public:
  int Id(const std::string& name);
  const std::string& Name(int id) const {
    return names_[static_cast<size_t>(id)];
  }
  int size() const { return static_cast<int>(names_.size()); }

 private:
  std::unordered_map<std::string, int> ids_;
  std::vector<std::string> names_;
};

struct Symbols {
  struct Entry {
    bool is_known = false;
    bool is_stored = false;
    bool is_loaded = false;  // `action` is done when the scope is entered.
    Load::Action action = Load::kNothing;
    int alias_level = 0;
  };

  const Symbols* parent = nullptr;
  int level = 0;
  NameTable* names = nullptr;
  std::vector<Entry> entries;  // By name.

  Entry& At(int name);
  // The level of the nearest scope that knows the name; -1 if none does.
  int FindLevel(int name) const;

  void Store(int name);
  void Loaded(int name);
  void DeclareParameter(int name);
  void UpdateFromBranches(const std::vector<Symbols>& branches);
};

// Analyses `node` as part of the scope: visits stop where a new one begins.
void VisitSymbols(const Node& node, Symbols* symbols,
                  bool as_parameter = false);

// Which of `names` are read in the tree without having been set before.
std::vector<std::string> FindUndeclared(const std::vector<const Node*>& nodes,
                                        std::vector<std::string> names);

}  // namespace cohort::jinja
