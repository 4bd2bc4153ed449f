#include "model/jinja/scopes.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>

#include "model/jinja/cat.h"
#include "model/jinja/filters.h"
#include "model/jinja/lexer.h"
#include "model/jinja/symbols.h"
#include "model/jinja/tests.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

constexpr int kMaxNames = 4096;

// What Jinja makes a Python function of.
struct Function {
  const Function* outer = nullptr;
  int depth = 0;
  std::map<std::pair<int, int>, int> slots;  // By level and name.
};

struct Frame {
  Symbols* symbols = nullptr;
  Function* function = nullptr;
  const Frame* outer = nullptr;  // Of the scope around this one.
  bool is_top_level = false;
  // Inside an if: filters and tests may be missing until they are used.
  bool is_soft = false;
};

class Resolver {
 public:
  absl::Status Run(Node* root) {
    Frame frame = MakeRoot();
    frame.is_top_level = true;
    COHORT_RETURN_IF_ERROR(CheckSelf({root}));
    VisitSymbols(*root, frame.symbols);
    if (names_.size() > kMaxNames) {
      return SyntaxError(1, "the template has too many names");
    }
    COHORT_RETURN_IF_ERROR(Enter(frame, &root->scope));
    COHORT_RETURN_IF_ERROR(Visit(root, frame));
    root->scope.function_slots = SlotsOf(frame);
    return absl::OkStatus();
  }

 private:
  Frame MakeRoot() {
    Frame frame;
    symbols_.push_back(Symbols{.names = &names_, .entries = {}});
    functions_.emplace_back();
    frame.symbols = &symbols_.back();
    frame.function = &functions_.back();
    return frame;
  }

  // A scope inside `outer`; in a function of its own if it `is_function`.
  Frame MakeInner(const Frame& outer, bool is_function) {
    Frame frame;
    symbols_.push_back(Symbols{.parent = outer.symbols,
                               .level = outer.symbols->level + 1,
                               .names = &names_,
                               .entries = {}});
    frame.symbols = &symbols_.back();
    frame.outer = &outer;
    frame.function = outer.function;
    if (is_function) {
      functions_.push_back(Function{.outer = outer.function,
                                    .depth = outer.function->depth + 1,
                                    .slots = {}});
      frame.function = &functions_.back();
    }
    return frame;
  }

  static int SlotsOf(const Frame& frame) {
    return static_cast<int>(frame.function->slots.size());
  }

  static Slot SlotAt(const Frame& frame, int level, int name) {
    const Frame* owner = &frame;
    while (owner->symbols->level != level) owner = owner->outer;
    auto& slots = owner->function->slots;
    const auto [place, is_new] =
        slots.emplace(std::make_pair(level, name), slots.size());
    return {frame.function->depth - owner->function->depth, place->second};
  }

  absl::StatusOr<Slot> Find(const Frame& frame, const std::string& text,
                            int line) {
    const int name = names_.Id(text);
    const int level = frame.symbols->FindLevel(name);
    if (level < 0) {
      return SyntaxError(line, Cat("'", text, "' means nothing in this place"));
    }
    return SlotAt(frame, level, name);
  }

  absl::Status Enter(const Frame& frame, Scope* scope) {
    Symbols& symbols = *frame.symbols;
    for (size_t i = 0; i < symbols.entries.size(); ++i) {
      const Symbols::Entry& entry = symbols.entries[i];
      if (!entry.is_loaded) continue;
      const auto name = static_cast<int>(i);
      Load load{.name = names_.Name(name),
                .action = entry.action,
                .target = SlotAt(frame, symbols.level, name),
                .source = {}};
      if (entry.action == Load::kAlias) {
        load.source = SlotAt(frame, entry.alias_level, name);
      }
      scope->loads.push_back(std::move(load));
    }
    return absl::OkStatus();
  }

  // `self` and `super` speak of templates that extend each other.
  absl::Status CheckSelf(const std::vector<const Node*>& nodes) {
    for (const std::string& name : FindUndeclared(nodes, {"self", "super"})) {
      if (name == "self") {
        return SyntaxError(nodes[0]->line, "'self' is not supported");
      }
    }
    return absl::OkStatus();
  }

  absl::Status VisitChildren(Node* node, const Frame& frame) {
    for (NodePtr* child : {&node->first, &node->second, &node->third}) {
      COHORT_RETURN_IF_ERROR(VisitIfAny(child->get(), frame));
    }
    for (auto* list : {&node->items, &node->keywords, &node->defaults}) {
      for (NodePtr& child : *list) {
        COHORT_RETURN_IF_ERROR(Visit(child.get(), frame));
      }
    }
    for (NodePtr* child : {&node->more_items, &node->more_keywords, &node->body,
                           &node->otherwise}) {
      COHORT_RETURN_IF_ERROR(VisitIfAny(child->get(), frame));
    }
    return absl::OkStatus();
  }

  absl::Status VisitIfAny(Node* node, const Frame& frame) {
    return node == nullptr ? absl::OkStatus() : Visit(node, frame);
  }

  absl::Status Visit(Node* node, const Frame& frame) {
    switch (node->type) {
      case NodeType::kName:
      case NodeType::kNamespaceAttribute: {
        COHORT_ASSIGN_OR_RETURN(node->slot,
                                Find(frame, node->text, node->line));
        return absl::OkStatus();
      }
      case NodeType::kFilter:
        if (!frame.is_soft && FindFilter(node->text) == nullptr) {
          return Missing(*node, "filter");
        }
        break;
      case NodeType::kTest:
        if (!frame.is_soft && FindTest(node->text) == nullptr) {
          return Missing(*node, "test");
        }
        break;
      case NodeType::kCondition:
      case NodeType::kIf: {
        Frame soft = frame;
        soft.is_soft = true;
        return VisitChildren(node, soft);
      }
      case NodeType::kSet:
        node->flag = frame.is_top_level;
        break;
      case NodeType::kSetBlock:
        return VisitSetBlock(node, frame);
      case NodeType::kFor:
        return VisitFor(node, frame);
      case NodeType::kMacro: {
        COHORT_ASSIGN_OR_RETURN(node->slot,
                                Find(frame, node->text, node->line));
        node->flag = frame.is_top_level;
        return VisitFunction(node, frame);
      }
      case NodeType::kCallBlock:
        COHORT_RETURN_IF_ERROR(VisitFunction(node, frame));
        return Visit(node->first.get(), frame);
      case NodeType::kGeneration:
        return VisitFunction(node, frame);
      case NodeType::kFilterBlock:
        return VisitFilterBlock(node, frame);
      case NodeType::kWith:
        return VisitWith(node, frame);
      case NodeType::kBlock:
        return VisitBlock(node, frame);
      case NodeType::kAutoescape:
        return VisitAutoescape(node, frame);
      default:
        break;
    }
    return VisitChildren(node, frame);
  }

  static absl::Status Missing(const Node& node, std::string_view what) {
    return absl::InvalidArgumentError(Cat("line ", node.line,
                                          ": TemplateAssertionError: No ", what,
                                          " named '", node.text, "'."));
  }

  static bool SetsLoop(const Node& node) {
    if (node.type == NodeType::kName) {
      return node.mode == NameMode::kStore && node.text == "loop";
    }
    bool found = false;
    ForEachChild(node, [&](const Node& child) { found |= SetsLoop(child); });
    return found;
  }

  absl::Status VisitFor(Node* node, const Frame& frame) {
    const bool is_recursive = node->flag;
    Frame body = MakeInner(frame, is_recursive);
    if (is_recursive || !FindUndeclared({node->body.get()}, {"loop"}).empty()) {
      body.symbols->DeclareParameter(names_.Id("loop"));
    }
    if (SetsLoop(*node)) {
      return SyntaxError(
          node->line,
          "Can't assign to special loop variable in for-loop target");
    }
    VisitSymbols(*node->first, body.symbols, /*as_parameter=*/true);
    VisitSymbols(*node->body, body.symbols);
    COHORT_RETURN_IF_ERROR(Visit(node->second.get(), frame));
    if (node->third != nullptr) {
      COHORT_RETURN_IF_ERROR(VisitForTest(node, frame));
    }
    if (body.symbols->At(names_.Id("loop")).action == Load::kParameter &&
        body.symbols->At(names_.Id("loop")).is_known) {
      node->parameters = {SlotAt(body, body.symbols->level, names_.Id("loop"))};
    }
    COHORT_RETURN_IF_ERROR(Visit(node->first.get(), body));
    COHORT_RETURN_IF_ERROR(Enter(body, &node->scope));
    COHORT_RETURN_IF_ERROR(Visit(node->body.get(), body));
    if (node->otherwise != nullptr) {
      Frame otherwise = MakeInner(frame, false);
      otherwise.function = body.function;
      VisitSymbols(*node->otherwise, otherwise.symbols);
      COHORT_RETURN_IF_ERROR(Enter(otherwise, &node->else_scope));
      COHORT_RETURN_IF_ERROR(Visit(node->otherwise.get(), otherwise));
    }
    if (is_recursive) node->scope.function_slots = SlotsOf(body);
    return absl::OkStatus();
  }

  // The test runs in a function of its own, with the target as its variables.
  absl::Status VisitForTest(Node* node, const Frame& frame) {
    const Frame test = MakeInner(frame, true);
    node->test_target = CopyTarget(*node->first);
    VisitSymbols(*node->test_target, test.symbols, /*as_parameter=*/true);
    VisitSymbols(*node->third, test.symbols);
    COHORT_RETURN_IF_ERROR(Enter(test, &node->test_scope));
    COHORT_RETURN_IF_ERROR(Visit(node->test_target.get(), test));
    COHORT_RETURN_IF_ERROR(Visit(node->third.get(), test));
    node->test_scope.function_slots = SlotsOf(test);
    return absl::OkStatus();
  }

  // A macro, or the body of a call block.
  absl::Status VisitFunction(Node* node, const Frame& frame) {
    const Frame inner = MakeInner(frame, true);
    const auto analyse = [&] {
      for (auto* list : {&node->items, &node->defaults}) {
        for (const NodePtr& child : *list) {
          VisitSymbols(*child, inner.symbols);
        }
      }
      VisitSymbols(*node->body, inner.symbols);
    };
    analyse();
    const auto slot = [&](const std::string& name) {
      return SlotAt(inner, inner.symbols->level, names_.Id(name));
    };
    const std::vector<std::string> special =
        FindUndeclared({node->body.get()}, {"caller", "kwargs", "varargs"});
    const bool asks_caller =
        std::find(special.begin(), special.end(), "caller") != special.end();
    bool has_caller = false;
    for (size_t i = 0; i < node->items.size(); ++i) {
      node->parameters.push_back(slot(node->items[i]->text));
      if (node->items[i]->text != "caller") continue;
      has_caller = true;
      if (asks_caller && node->items.size() - i > node->defaults.size()) {
        return SyntaxError(node->line,
                           "the special \"caller\" argument must be omitted "
                           "or be given a default");
      }
    }
    const auto declare = [&](const std::string& name) {
      if (std::find(special.begin(), special.end(), name) == special.end()) {
        return false;
      }
      for (const NodePtr& item : node->items) {
        if (item->text == name) return name == "caller";
      }
      inner.symbols->DeclareParameter(names_.Id(name));
      node->parameters.push_back(slot(name));
      return true;
    };
    node->takes_caller = declare("caller") && !has_caller;
    node->takes_kwargs = declare("kwargs");
    node->takes_varargs = declare("varargs");
    COHORT_RETURN_IF_ERROR(Enter(inner, &node->scope));
    for (auto* list : {&node->items, &node->defaults}) {
      for (NodePtr& child : *list) {
        COHORT_RETURN_IF_ERROR(Visit(child.get(), inner));
      }
    }
    COHORT_RETURN_IF_ERROR(Visit(node->body.get(), inner));
    node->scope.function_slots = SlotsOf(inner);
    return absl::OkStatus();
  }

  absl::Status VisitSetBlock(Node* node, const Frame& frame) {
    node->flag = frame.is_top_level;
    const Frame inner = MakeInner(frame, false);
    VisitSymbols(*node->body, inner.symbols);
    COHORT_RETURN_IF_ERROR(Enter(inner, &node->scope));
    COHORT_RETURN_IF_ERROR(Visit(node->body.get(), inner));
    COHORT_RETURN_IF_ERROR(VisitIfAny(node->second.get(), inner));
    return Visit(node->first.get(), frame);
  }

  absl::Status VisitFilterBlock(Node* node, const Frame& frame) {
    const Frame inner = MakeInner(frame, false);
    VisitSymbols(*node->body, inner.symbols);
    VisitSymbols(*node->second, inner.symbols);
    COHORT_RETURN_IF_ERROR(Enter(inner, &node->scope));
    COHORT_RETURN_IF_ERROR(Visit(node->body.get(), inner));
    return Visit(node->second.get(), inner);
  }

  absl::Status VisitWith(Node* node, const Frame& frame) {
    const Frame inner = MakeInner(frame, false);
    for (const NodePtr& target : node->items) {
      VisitSymbols(*target, inner.symbols);
    }
    VisitSymbols(*node->body, inner.symbols);
    COHORT_RETURN_IF_ERROR(Enter(inner, &node->scope));
    for (NodePtr& target : node->items) {
      COHORT_RETURN_IF_ERROR(Visit(target.get(), inner));
    }
    for (NodePtr& value : node->defaults) {
      COHORT_RETURN_IF_ERROR(Visit(value.get(), frame));
    }
    return Visit(node->body.get(), inner);
  }

  // A block sees the context, and no variables of the scopes around it.
  absl::Status VisitBlock(Node* node, const Frame& frame) {
    if (std::find(blocks_.begin(), blocks_.end(), node->text) !=
        blocks_.end()) {
      return SyntaxError(node->line,
                         Cat("block '", node->text, "' defined twice"));
    }
    blocks_.push_back(node->text);
    if (node->flag) {
      return SyntaxError(node->line, "scoped blocks are not supported");
    }
    (void)frame;
    const Frame inner = MakeRoot();
    COHORT_RETURN_IF_ERROR(CheckSelf({node->body.get()}));
    VisitSymbols(*node->body, inner.symbols);
    COHORT_RETURN_IF_ERROR(Enter(inner, &node->scope));
    COHORT_RETURN_IF_ERROR(Visit(node->body.get(), inner));
    node->scope.function_slots = SlotsOf(inner);
    return absl::OkStatus();
  }

  absl::Status VisitAutoescape(Node* node, const Frame& frame) {
    const Frame inner = MakeInner(frame, false);
    VisitSymbols(*node->first, inner.symbols);
    VisitSymbols(*node->body, inner.symbols);
    COHORT_RETURN_IF_ERROR(Enter(inner, &node->scope));
    COHORT_RETURN_IF_ERROR(Visit(node->first.get(), inner));
    return Visit(node->body.get(), inner);
  }

  NameTable names_;
  // Deques: frames point into them.
  std::deque<Symbols> symbols_;
  std::deque<Function> functions_;
  std::vector<std::string> blocks_;
};

}  // namespace

absl::Status ResolveNames(Node* root) { return Resolver().Run(root); }

}  // namespace cohort::jinja
