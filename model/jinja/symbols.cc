#include "model/jinja/symbols.h"

#include <algorithm>

namespace cohort::jinja {

int NameTable::Id(const std::string& name) {
  const auto [place, is_new] = ids_.emplace(name, size());
  if (is_new) names_.push_back(name);
  return place->second;
}

Symbols::Entry& Symbols::At(int name) {
  if (static_cast<size_t>(name) >= entries.size()) {
    entries.resize(static_cast<size_t>(names->size()));
  }
  return entries[static_cast<size_t>(name)];
}

int Symbols::FindLevel(int name) const {
  for (const Symbols* scope = this; scope != nullptr; scope = scope->parent) {
    if (static_cast<size_t>(name) < scope->entries.size() &&
        scope->entries[static_cast<size_t>(name)].is_known) {
      return scope->level;
    }
  }
  return -1;
}

void Symbols::Store(int name) {
  Entry& entry = At(name);
  entry.is_stored = true;
  if (entry.is_known) return;
  entry.is_known = entry.is_loaded = true;
  const int outer = parent == nullptr ? -1 : parent->FindLevel(name);
  entry.action = outer >= 0 ? Load::kAlias : Load::kNothing;
  entry.alias_level = outer;
}

void Symbols::Loaded(int name) {
  if (FindLevel(name) >= 0) return;
  Entry& entry = At(name);
  entry.is_known = entry.is_loaded = true;
  entry.action = Load::kResolve;
}

void Symbols::DeclareParameter(int name) {
  Entry& entry = At(name);
  entry.is_known = entry.is_loaded = entry.is_stored = true;
  entry.action = Load::kParameter;
}

// A variable that only some branches set begins as what it is outside.
void Symbols::UpdateFromBranches(const std::vector<Symbols>& branches) {
  std::vector<int> stored;
  for (const Symbols& branch : branches) {
    for (size_t i = 0; i < branch.entries.size(); ++i) {
      const auto name = static_cast<int>(i);
      if (branch.entries[i].is_stored && !At(name).is_stored) {
        stored.push_back(name);
      }
    }
  }
  for (const Symbols& branch : branches) {
    for (size_t i = 0; i < branch.entries.size(); ++i) {
      const Entry& theirs = branch.entries[i];
      Entry& ours = At(static_cast<int>(i));
      ours.is_known |= theirs.is_known;
      ours.is_stored |= theirs.is_stored;
      if (theirs.is_loaded) {
        ours.is_loaded = true;
        ours.action = theirs.action;
        ours.alias_level = theirs.alias_level;
      }
    }
  }
  for (const int name : stored) {
    Entry& entry = At(name);
    entry.is_loaded = true;
    const int outer = parent == nullptr ? -1 : parent->FindLevel(name);
    entry.action = outer >= 0 ? Load::kAlias : Load::kResolve;
    entry.alias_level = outer;
  }
}

namespace {

// Each branch begins with the same symbols.
void VisitIf(const Node& node, Symbols* symbols) {
  VisitSymbols(*node.first, symbols);
  std::vector<Symbols> branches(3, *symbols);
  VisitSymbols(*node.body, &branches[0]);
  for (const NodePtr& other : node.items) VisitSymbols(*other, &branches[1]);
  if (node.otherwise != nullptr) {
    VisitSymbols(*node.otherwise, &branches[2]);
  }
  symbols->UpdateFromBranches(branches);
}

}  // namespace

void VisitSymbols(const Node& node, Symbols* symbols, bool as_parameter) {
  switch (node.type) {
    case NodeType::kName: {
      const int name = symbols->names->Id(node.text);
      if (as_parameter || node.mode == NameMode::kParameter) {
        symbols->DeclareParameter(name);
      } else if (node.mode == NameMode::kStore) {
        symbols->Store(name);
      } else {
        symbols->Loaded(name);
      }
      return;
    }
    case NodeType::kNamespaceAttribute:
      symbols->Loaded(symbols->names->Id(node.text));
      return;
    case NodeType::kIf:
      VisitIf(node, symbols);
      return;
    case NodeType::kMacro:
      symbols->Store(symbols->names->Id(node.text));
      return;
    case NodeType::kSet:
      VisitSymbols(*node.second, symbols);
      VisitSymbols(*node.first, symbols);
      return;
    case NodeType::kSetBlock:
      VisitSymbols(*node.first, symbols);
      return;
    case NodeType::kFor:
      VisitSymbols(*node.second, symbols);
      return;
    case NodeType::kCallBlock:
      VisitSymbols(*node.first, symbols);
      return;
    case NodeType::kFilterBlock:
      VisitSymbols(*node.second, symbols);
      return;
    case NodeType::kWith:
      for (const NodePtr& value : node.defaults) VisitSymbols(*value, symbols);
      return;
    case NodeType::kGeneration:
    case NodeType::kBlock:
    case NodeType::kAutoescape:
      return;
    default:
      break;
  }
  ForEachChild(node, [&](const Node& child) {
    VisitSymbols(child, symbols, as_parameter);
  });
}

namespace {

struct Search {
  std::vector<std::string> wanted;
  std::vector<std::string> found;

  void Visit(const Node& node) {
    if (node.type == NodeType::kBlock) return;
    if (node.type == NodeType::kName) {
      const auto place = std::find(wanted.begin(), wanted.end(), node.text);
      if (place == wanted.end()) return;
      if (node.mode == NameMode::kLoad) {
        if (std::find(found.begin(), found.end(), node.text) == found.end()) {
          found.push_back(node.text);
        }
      } else {
        wanted.erase(place);
      }
      return;
    }
    ForEachChild(node, [&](const Node& child) { Visit(child); });
  }
};

}  // namespace

std::vector<std::string> FindUndeclared(const std::vector<const Node*>& nodes,
                                        std::vector<std::string> names) {
  Search search{std::move(names), {}};
  for (const Node* node : nodes) search.Visit(*node);
  return search.found;
}

}  // namespace cohort::jinja
