#include "model/tokenizer/unicode_form.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uniset.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cohort {
namespace {

// The Unicode version of the tokenizers library's tables.
constexpr const char16_t* kKnownCharacters = u"[:age=9.0:]";

class UnicodeForm : public Normalizer {
 public:
  UnicodeForm(const icu::Normalizer2* whole, icu::UnicodeSet known, bool nfc)
      : whole_(whole),
        known_(std::move(known)),
        form_(*whole, known_),
        plain_below_(nfc ? 0xCC : 0x80) {}

  absl::Status Apply(RegexScratch* /*scratch*/,
                     NormalizedText* text) const override {
    if (std::all_of(text->text.begin(), text->text.end(), [&](char byte) {
          return static_cast<uint8_t>(byte) < plain_below_;
        })) {
      return absl::OkStatus();
    }
    const icu::StringPiece bytes(text->text.data(),
                                 static_cast<int32_t>(text->text.size()));
    UErrorCode error = U_ZERO_ERROR;
    // What is normal for a newer version is normal for an older one.
    if (whole_->isNormalizedUTF8(bytes, error)) return absl::OkStatus();
    std::string normal;
    icu::StringByteSink<std::string> sink(
        &normal, static_cast<int32_t>(text->text.size()));
    form_.normalizeUTF8(0, bytes, sink, nullptr, error);
    if (U_FAILURE(error)) {
      return absl::InternalError(
          absl::StrCat("normalizing: ", u_errorName(error)));
    }
    text->Set(std::move(normal));
    return absl::OkStatus();
  }

 private:
  const icu::Normalizer2* whole_;
  icu::UnicodeSet known_;
  icu::FilteredNormalizer2 form_;
  // First bytes of characters that the form never changes: below U+0300 in NFC.
  uint8_t plain_below_;
};

const icu::Normalizer2* WholeForm(std::string_view form, UErrorCode* error) {
  if (form == "NFC") return icu::Normalizer2::getNFCInstance(*error);
  if (form == "NFD") return icu::Normalizer2::getNFDInstance(*error);
  if (form == "NFKC") return icu::Normalizer2::getNFKCInstance(*error);
  return icu::Normalizer2::getNFKDInstance(*error);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Normalizer>> MakeUnicodeForm(
    std::string_view form) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* const whole = WholeForm(form, &error);
  icu::UnicodeSet known(icu::UnicodeString(kKnownCharacters), error);
  if (U_FAILURE(error)) {
    return absl::InternalError(absl::StrCat(
        "ICU cannot load ", std::string(form), ": ", u_errorName(error)));
  }
  known.freeze();
  return std::make_unique<UnicodeForm>(whole, std::move(known), form == "NFC");
}

}  // namespace cohort
