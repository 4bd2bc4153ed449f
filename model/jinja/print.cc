// str() and repr().
#include "model/jinja/cat.h"
#include "model/jinja/loop.h"
#include "model/jinja/number.h"
#include "model/jinja/text.h"
#include "model/jinja/value.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

class Printer {
 public:
  absl::Status Print(const Value& value) {
    if (out_.size() > kMaxStringBytes) {
      return absl::ResourceExhaustedError("a text grows too large");
    }
    // Namespaces may hold each other, so containers' own limit is not enough.
    COHORT_RETURN_IF_ERROR(CheckSize(++depth_, 0));
    const absl::Status status = PrintInside(value);
    --depth_;
    return status;
  }

  std::string Take() { return std::move(out_); }

 private:
  absl::Status PrintInside(const Value& value) {
    switch (value.kind()) {
      case Kind::kUndefined:
        out_ += "Undefined";
        break;
      case Kind::kNone:
        out_ += "None";
        break;
      case Kind::kBool:
        out_ += value.boolean() ? "True" : "False";
        break;
      case Kind::kInt: {
        COHORT_ASSIGN_OR_RETURN(const std::string text, IntText(value));
        out_ += text;
        break;
      }
      case Kind::kFloat:
        out_ += FloatText(value.real());
        break;
      case Kind::kString:
        CatTo(&out_, value.markup() ? "Markup(" : "", Quote(value.text()),
              value.markup() ? ")" : "");
        break;
      case Kind::kBytes:
        out_ += QuoteBytes(value.text());
        break;
      case Kind::kList:
        return PrintItems('[', value.items(), ']');
      case Kind::kTuple:
        return PrintItems('(', value.items(), ')');
      case Kind::kDict:
        return PrintDict(value.dict());
      case Kind::kRange:
        PrintRange(value.As<RangeObject>());
        break;
      case Kind::kView:
        return PrintView(value);
      case Kind::kNamespace:
        return PrintNamespace(value.As<NamespaceObject>());
      default:
        PrintOpaque(value);
    }
    return absl::OkStatus();
  }

  absl::Status PrintItems(char open, const std::vector<Value>& items,
                          char close) {
    out_ += open;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ", ";
      COHORT_RETURN_IF_ERROR(Print(items[i]));
    }
    if (close == ')' && items.size() == 1) out_ += ',';
    out_ += close;
    return absl::OkStatus();
  }

  absl::Status PrintDict(const DictObject& dict) {
    out_ += '{';
    bool first = true;
    for (const auto& [key, value] : dict.entries) {
      if (!first) out_ += ", ";
      first = false;
      COHORT_RETURN_IF_ERROR(Print(key));
      out_ += ": ";
      COHORT_RETURN_IF_ERROR(Print(value));
    }
    out_ += '}';
    return absl::OkStatus();
  }

  absl::Status PrintView(const Value& value) {
    CatTo(&out_, TypeName(value), "([");
    const auto& view = value.As<ViewObject>();
    for (size_t i = 0; i < view.dict.dict().entries.size(); ++i) {
      if (i > 0) out_ += ", ";
      COHORT_RETURN_IF_ERROR(Print(ViewAt(view, i)));
    }
    out_ += "])";
    return absl::OkStatus();
  }

  void PrintRange(const RangeObject& range) {
    CatTo(&out_, "range(", range.start, ", ", range.stop);
    if (range.step != 1) CatTo(&out_, ", ", range.step);
    out_ += ')';
  }

  absl::Status PrintNamespace(NamespaceObject& space) {
    for (const NamespaceObject* const open : open_) {
      if (open == &space) {
        out_ += "<Namespace {...}>";
        return absl::OkStatus();
      }
    }
    open_.push_back(&space);
    out_ += "<Namespace {";
    bool first = true;
    for (const auto& [name, value] : space.attributes) {
      CatTo(&out_, first ? "" : ", ", Quote(name), ": ");
      first = false;
      COHORT_RETURN_IF_ERROR(Print(value));
    }
    out_ += "}>";
    open_.pop_back();
    return absl::OkStatus();
  }

  // Where Python gives an address, there is nothing to agree with.
  void PrintOpaque(const Value& value) {
    if (value.Is(Kind::kLoop)) {
      auto& loop = value.As<LoopObject>();
      const absl::StatusOr<int64_t> size = loop.Size();
      CatTo(&out_, "<LoopContext ", loop.index0 + 1, "/", size.ok() ? *size : 0,
            ">");
      return;
    }
    if (value.Is(Kind::kCallable)) {
      const auto& callable = value.As<CallableObject>();
      if (callable.type == "Macro") {
        CatTo(&out_, "<Macro ",
              callable.name.empty() ? "anonymous" : Quote(callable.name), ">");
        return;
      }
      CatTo(&out_, "<function ", callable.name, ">");
      return;
    }
    CatTo(&out_, "<", TypeName(value), " object>");
  }

  std::string out_;
  int depth_ = 0;
  std::vector<const NamespaceObject*> open_;
};

}  // namespace

absl::StatusOr<std::string> Repr(const Value& value) {
  Printer printer;
  COHORT_RETURN_IF_ERROR(printer.Print(value));
  return printer.Take();
}

absl::StatusOr<std::string> Str(const Value& value) {
  if (value.Is(Kind::kString)) return value.text();
  if (value.Is(Kind::kUndefined)) return std::string();
  return Repr(value);
}

}  // namespace cohort::jinja
