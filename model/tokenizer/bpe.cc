#include "model/tokenizer/bpe.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/tokenizer/byte_level.h"
#include "model/tokenizer/unicode.h"
#include "proto/status.h"
#include "xxhash.h"

namespace cohort {
namespace {

using nlohmann::json;

// The two texts of "a b" or of ["a", "b"].
std::optional<std::pair<std::string, std::string>> PairOf(const json& entry) {
  if (entry.is_array()) {
    if (entry.size() != 2 || !entry[0].is_string() || !entry[1].is_string()) {
      return std::nullopt;
    }
    return std::pair(entry[0].get<std::string>(), entry[1].get<std::string>());
  }
  if (!entry.is_string()) return std::nullopt;
  const auto& text = entry.get_ref<const std::string&>();
  const size_t space = text.find(' ');
  if (space == std::string::npos || space != text.rfind(' ')) {
    return std::nullopt;
  }
  return std::pair(text.substr(0, space), text.substr(space + 1));
}

bool IsComment(const json& entry) {
  return entry.is_string() &&
         entry.get_ref<const std::string&>().starts_with("#version");
}

}  // namespace

absl::StatusOr<Bpe> Bpe::Parse(const JsonPart& model) {
  COHORT_ASSIGN_OR_RETURN(const std::string type, model.Text("type", "BPE"));
  if (type != "BPE") return model.NotBuilt(absl::StrCat("type ", type));
  COHORT_ASSIGN_OR_RETURN(const JsonPart vocab, model.Member("vocab"));
  Bpe bpe;
  COHORT_ASSIGN_OR_RETURN(bpe.vocabulary_, Vocabulary::Parse(vocab));
  COHORT_RETURN_IF_ERROR(bpe.ParseOptions(model));
  COHORT_RETURN_IF_ERROR(bpe.ParseMerges(model));
  bpe.FindSymbols();
  bpe.FindJoints();
  return bpe;
}

absl::Status Bpe::ParseOptions(const JsonPart& model) {
  if (model.Has("dropout") && model.value()["dropout"] != 0.0) {
    return model.NotBuilt("dropout");
  }
  COHORT_ASSIGN_OR_RETURN(fuse_unknown_, model.Flag("fuse_unk", false));
  COHORT_ASSIGN_OR_RETURN(byte_fallback_, model.Flag("byte_fallback", false));
  COHORT_ASSIGN_OR_RETURN(ignore_merges_, model.Flag("ignore_merges", false));
  COHORT_ASSIGN_OR_RETURN(prefix_, model.Text("continuing_subword_prefix", ""));
  COHORT_ASSIGN_OR_RETURN(suffix_, model.Text("end_of_word_suffix", ""));
  if (model.Has("unk_token")) {
    COHORT_ASSIGN_OR_RETURN(const std::string text, model.Text("unk_token"));
    unknown_ = vocabulary_.IdOf(text);
    if (unknown_ < 0) {
      return model.Wrong(
          absl::StrCat("unk_token \"", text, "\" is not in the vocabulary"));
    }
  }
  for (int byte = 0; byte < 256; ++byte) {
    fallback_[byte] = vocabulary_.IdOf(absl::StrFormat("<0x%02X>", byte));
  }
  return absl::OkStatus();
}

absl::Status Bpe::ParseMerges(const JsonPart& model) {
  if (!model.Has("merges")) return absl::OkStatus();
  COHORT_ASSIGN_OR_RETURN(const JsonPart part, model.Member("merges"));
  const json& list = part.value();
  if (!list.is_array()) return part.Wrong("must be a list");
  merges_ = MergeTable(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    if (IsComment(list[i])) continue;
    const auto pair = PairOf(list[i]);
    if (!pair) {
      return part.Entry(i).Wrong(
          absl::StrCat(list[i].dump(), " is no pair of texts"));
    }
    const absl::Status added = AddMerge(pair->first, pair->second);
    if (!added.ok()) return part.Entry(i).Wrong(std::string(added.message()));
  }
  return absl::OkStatus();
}

absl::Status Bpe::AddMerge(const std::string& left, const std::string& right) {
  const auto find = [&](const std::string& text) -> absl::StatusOr<int32_t> {
    const int32_t id = vocabulary_.IdOf(text);
    if (id >= 0) return id;
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not in the vocabulary"));
  };
  COHORT_ASSIGN_OR_RETURN(const int32_t left_id, find(left));
  COHORT_ASSIGN_OR_RETURN(const int32_t right_id, find(right));
  if (right.size() < prefix_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", right, "\" is shorter than the prefix"));
  }
  COHORT_ASSIGN_OR_RETURN(
      const int32_t merged,
      find(absl::StrCat(left, right.substr(prefix_.size()))));
  const auto rank = static_cast<uint32_t>(results_.size());
  merges_.Set(left_id, right_id, {rank, merged});
  results_.push_back(merged);
  pairs_.emplace_back(left_id, right_id);
  return absl::OkStatus();
}

void Bpe::FindSymbols() {
  symbols_.assign(1 << 16, -1);
  for (int64_t id = 0; id < vocabulary_.end_id(); ++id) {
    const auto text = vocabulary_.TextOf(id);
    if (!text || text->empty()) continue;
    size_t place = 0;
    const char32_t c = NextCharacter(*text, &place);
    if (place == text->size() && c < symbols_.size()) {
      symbols_[c] = static_cast<int32_t>(id);
    }
  }
}

void Bpe::FindJoints() {
  // A whole piece may be a token, and affixes depend on where a piece ends.
  if (ignore_merges_ || !prefix_.empty() || !suffix_.empty()) return;
  struct Ends {
    int32_t first = -1;
    int32_t last = -1;
  };
  std::vector<Ends> ends(static_cast<size_t>(vocabulary_.end_id()));
  const auto ends_of = [&](int32_t id) {
    Ends& of = ends[static_cast<size_t>(id)];
    if (of.first < 0) of = {id, id};
    return of;
  };
  // A token that stands for itself is no merge's result.
  if (unknown_ >= 0) ends_of(unknown_);
  for (const int32_t id : fallback_) {
    if (id >= 0) ends_of(id);
  }
  MergeTable joints(pairs_.size());
  for (size_t rank = 0; rank < pairs_.size(); ++rank) {
    const Ends left = ends_of(pairs_[rank].first);
    const Ends right = ends_of(pairs_[rank].second);
    joints.Set(left.last, right.first, {.rank = 0, .id = 0});
    Ends& merged = ends[static_cast<size_t>(results_[rank])];
    if (merged.first < 0) merged = {left.first, right.last};
    if (merged.first != left.first || merged.last != right.last) return;
  }
  joints_ = std::move(joints);
}

bool Bpe::TakeBytes() {
  if (!prefix_.empty() || !suffix_.empty()) return false;
  for (int byte = 0; byte < 256; ++byte) {
    std::string character;
    AppendUtf8(ByteCharacter(static_cast<uint8_t>(byte)), &character);
    byte_ids_[byte] = vocabulary_.IdOf(character);
    if (byte_ids_[byte] < 0) return false;
  }
  takes_bytes_ = true;
  if (!ignore_merges_) return true;
  for (int64_t id = 0; id < vocabulary_.end_id(); ++id) {
    std::string bytes;
    const auto text = vocabulary_.TextOf(id);
    if (text && AppendCharacterBytes(*text, &bytes)) {
      whole_.emplace(std::move(bytes), static_cast<int32_t>(id));
    }
  }
  return true;
}

int32_t Bpe::NextSymbol(std::string_view piece, size_t* place) const {
  if (takes_bytes_) return byte_ids_[static_cast<uint8_t>(piece[(*place)++])];
  const size_t begin = *place;
  const char32_t c = NextCharacter(piece, place);
  return SymbolOf(c, piece.substr(begin, *place - begin));
}

absl::Status Bpe::Encode(std::string_view piece, BpeScratch* scratch,
                         std::vector<int32_t>* ids) const {
  if (!joints_ || piece.size() <= WordCache::kLongest) {
    return EncodeWhole(piece, scratch, ids);
  }
  size_t begin = 0;
  int32_t last = -1;
  for (size_t place = 0; place < piece.size();) {
    const size_t here = place;
    const int32_t symbol = NextSymbol(piece, &place);
    // What becomes of characters without a token depends on their neighbours.
    if (last >= 0 && symbol >= 0 && joints_->Find(last, symbol).id < 0) {
      COHORT_RETURN_IF_ERROR(
          EncodeWhole(piece.substr(begin, here - begin), scratch, ids));
      begin = here;
    }
    last = symbol;
  }
  return EncodeWhole(piece.substr(begin), scratch, ids);
}

absl::Status Bpe::EncodeWhole(std::string_view piece, BpeScratch* scratch,
                              std::vector<int32_t>* ids) const {
  if (scratch->words.Find(piece, ids)) return absl::OkStatus();
  std::vector<int32_t>& symbols = scratch->symbols;
  symbols.clear();
  int32_t whole = -1;
  if (ignore_merges_) {
    if (takes_bytes_) {
      const auto it =
          whole_.find(absl::string_view(piece.data(), piece.size()));
      if (it != whole_.end()) whole = it->second;
    } else {
      whole = vocabulary_.IdOf(piece);
    }
  }
  if (whole >= 0) {
    symbols.push_back(whole);
  } else {
    COHORT_RETURN_IF_ERROR(Symbols(piece, &symbols));
    ApplyMerges(merges_, results_, &scratch->merge, &symbols);
  }
  scratch->words.Put(piece, symbols);
  ids->insert(ids->end(), symbols.begin(), symbols.end());
  return absl::OkStatus();
}

absl::Status Bpe::Symbols(std::string_view piece,
                          std::vector<int32_t>* symbols) const {
  if (takes_bytes_) {
    for (const char byte : piece) {
      symbols->push_back(byte_ids_[static_cast<uint8_t>(byte)]);
    }
    return absl::OkStatus();
  }
  bool unknown_waits = false;  // An unknown token that may yet be fused.
  const auto end_unknown = [&] {
    if (unknown_waits) symbols->push_back(unknown_);
    unknown_waits = false;
  };
  std::string affixed;
  size_t place = 0;
  while (place < piece.size()) {
    const size_t begin = place;
    const char32_t c = NextCharacter(piece, &place);
    std::string_view text = piece.substr(begin, place - begin);
    int32_t id = SymbolOf(c, text);
    if ((begin > 0 && !prefix_.empty()) ||
        (place == piece.size() && !suffix_.empty())) {
      affixed = absl::StrCat(begin > 0 ? prefix_ : "", std::string(text),
                             place == piece.size() ? suffix_ : "");
      text = affixed;
      id = vocabulary_.IdOf(text);
    }
    if (id >= 0) {
      end_unknown();
      symbols->push_back(id);
      continue;
    }
    const auto fallback = [&](char byte) {
      return fallback_[static_cast<uint8_t>(byte)];
    };
    if (byte_fallback_ && std::all_of(text.begin(), text.end(), [&](char byte) {
          return fallback(byte) >= 0;
        })) {
      // An unknown token that waits comes behind them, as in the library.
      for (const char byte : text) symbols->push_back(fallback(byte));
      continue;
    }
    if (unknown_ < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("no token for \"", std::string(text), "\""));
    }
    if (!fuse_unknown_) end_unknown();
    unknown_waits = true;
  }
  end_unknown();
  return absl::OkStatus();
}

std::string Bpe::Fingerprint() const {
  XXH3_state_t* const state = XXH3_createState();
  XXH3_128bits_reset(state);
  const auto add = [&](std::string_view text) {
    const uint64_t size = text.size();
    XXH3_128bits_update(state, &size, sizeof(size));
    XXH3_128bits_update(state, text.data(), text.size());
  };
  for (int64_t id = 0; id < vocabulary_.end_id(); ++id) {
    const auto text = vocabulary_.TextOf(id);
    if (text) add(absl::StrCat(id, " ", std::string(*text)));
  }
  for (const auto& [left, right] : pairs_) add(absl::StrCat(left, " ", right));
  add(absl::StrCat(unknown_, " ", fuse_unknown_, byte_fallback_, ignore_merges_,
                   " ", prefix_, " ", suffix_));
  const XXH128_hash_t hash = XXH3_128bits_digest(state);
  XXH3_freeState(state);
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

}  // namespace cohort
