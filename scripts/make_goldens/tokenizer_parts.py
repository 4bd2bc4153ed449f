"""What the tokenizers library makes of random texts under every component of
tokenizer.json, one at a time and in odd company.

    python3 scripts/make_goldens/tokenizer_parts.py [--seed 0] [--texts 12]

prints {"version", "variants": [{"name", "tokenizer", "cases"}]}; a case has
text, ids, ids_with_special, decoded, decoded_skip_special and steps (what
DecodeStream gives). Needs the package tokenizers."""

import argparse
import json
import random
import sys

import tokenizers
from tokenizers import Tokenizer, decoders

SPM = "\u2581"
GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
        "use_regex": True}
PIECES = [
    "the", "The", " then", "there", " a", "I'm", "we'll", "don't", "'S", "'\u017f",
    " ", "  ", "\n", " \n ", "\t", "\r\n", "\u00a0", "\u3000", "\u2009", "\u200b",
    "1", "12", "1234", "3.14", "\u0664\u0662", "\u00bd", "\u2167", "\U0001d7d8",
    "!", "...", "$5", "_x_", "a-b", "\u00bf", "\u3002", "\uff0c", "\u2014",
    "caf\u00e9", "cafe\u0301", "\u00c5ngstr\u00f6m", "\u212b", "\ufb01", "\u1e9b\u0323",
    "\u4f60\u597d", "\u4e16\u754c", "\u65e5\u672c\u8a9e", "\uac00", "\u1100\u1161",
    "\u0440\u0443\u0441\u0441\u043a\u0438\u0439", "\u0130\u0131", "\u00df", "\u03a3\u03c2",
    "\u0645\u0631\u062d\u0628\u0627", "\U0001f600", "\U0001f468\u200d\U0001f469", "\u2581",
    "\U00031350", "\U0002ebf0", "\U00010d50", "\u0897", "\U00011f50", "\U0001e130",
    "\u180e", "\u0085", "\ufeff", "\ufffd", "\x00", "\x1b", "<sp>", "<sp>x", "[M]",
    "<R>", "word", "<0x41>", "<s>", "</w>", "\u00e9", "camelCase", "snake_case",
    "HTTPServer2", "ab-ba", "xyzzy",
]


def text_of(draw):
    parts = []
    for _ in range(draw.randrange(1, 12)):
        if draw.random() < 0.15:
            code = draw.randrange(1, 0x30000)
            parts.append(chr(code if not 0xD800 <= code < 0xE000 else 0x61))
        else:
            parts.append(draw.choice(PIECES))
        if draw.random() < 0.3:
            parts.append(" ")
    return "".join(parts)


def byte_characters():
    printable = (list(range(0x21, 0x7F)) + list(range(0xA1, 0xAD))
                 + list(range(0xAE, 0x100)))
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {
        b: chr(256 + i) for i, b in enumerate(others)}


def model(alphabet, merges, **options):
    vocab = {text: i for i, text in enumerate(alphabet)}
    prefix = options.get("continuing_subword_prefix") or ""
    for left, right in merges:
        vocab.setdefault(left + right[len(prefix):], len(vocab))
    return {"type": "BPE", "dropout": None, "unk_token": None,
            "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": vocab, "merges": [list(m) for m in merges]} | options


def byte_model(**options):
    table = byte_characters()
    space, high = table[0x20], table[0xE4]
    merges = [("t", "h"), ("th", "e"), (space, "t"), (space + "t", "h"),
              (space, "a"), (space, space), ("1", "2"), ("c", "a"),
              (high, table[0xBD]), (high + table[0xBD], table[0xA0]),
              (".", "."), ("..", "."), ("l", "l"), ("e", "r"), ("h", "e"),
              ("the", "r"), ("the", "re"[0]), ("a", "b"), ("b", "a"),
              (table[0xC3], table[0xA9]), (space + "th", "e")]
    return model(list(table.values()), merges, **options)


def character_model(extra=(), **options):
    characters = [chr(c) for c in range(0x20, 0x7F)] + [SPM, "\u00e9", "\u4f60"]
    merges = [("t", "h"), ("th", "e"), (SPM, "t"), (SPM, SPM), ("l", "l"),
              ("a", "b"), ("1", "2"), (" ", " "), (SPM + "t", "h")]
    return model(list(extra) + characters, merges, **options)


def byte_tokens():
    return ["<unk>", "<s>"] + [f"<0x{b:02X}>" for b in range(256)]


def regex(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": pattern},
            "behavior": behavior, "invert": invert}


def added(*entries):
    names = ("content", "single_word", "lstrip", "rstrip", "normalized",
             "special")
    return [dict(zip(names, entry), id=9000 + i)
            for i, entry in enumerate(entries)]


def sequence(kind, *parts):
    name = {"pre": "pretokenizers", "norm": "normalizers", "dec": "decoders",
            "post": "processors"}[kind]
    return {"type": "Sequence", name: list(parts)}


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False,
              "trim_offsets": True, "use_regex": False}


def base(**parts):
    whole = {"version": "1.0", "truncation": None, "padding": None,
             "added_tokens": [], "normalizer": None, "pre_tokenizer": GPT2,
             "post_processor": None, "decoder": GPT2, "model": byte_model()}
    return whole | parts


def spm(**parts):
    decode = sequence(
        "dec", {"type": "Replace", "pattern": {"String": SPM}, "content": " "},
        {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return base(pre_tokenizer=None, decoder=decode, model=character_model(
        byte_tokens(), unk_token="<unk>", fuse_unk=True,
        byte_fallback=True)) | parts


def metaspace(**options):
    return {"type": "Metaspace", "replacement": SPM} | options


def pre_tokenizer_variants():
    single = {
        "digits": {"type": "Digits", "individual_digits": True},
        "digits_contiguous": {"type": "Digits", "individual_digits": False},
        "punctuation": {"type": "Punctuation", "behavior": "Isolated"},
        "punctuation_contiguous": {"type": "Punctuation",
                                   "behavior": "Contiguous"},
        "whitespace": {"type": "Whitespace"},
        "whitespace_split": {"type": "WhitespaceSplit"},
        "bert": {"type": "BertPreTokenizer"},
        "delimiter": {"type": "CharDelimiterSplit", "delimiter": "e"},
        "fixed_length": {"type": "FixedLength", "length": 3},
        "string": {"type": "Split", "pattern": {"String": "e"},
                   "behavior": "MergedWithPrevious", "invert": False},
        "string_inverted": {"type": "Split", "pattern": {"String": "the"},
                            "behavior": "Removed", "invert": True},
        "prefix_space": {"type": "ByteLevel", "add_prefix_space": True,
                         "trim_offsets": True, "use_regex": True},
    }
    for behavior in ("Removed", "Isolated", "MergedWithPrevious",
                     "MergedWithNext", "Contiguous"):
        single["split_" + behavior] = regex(r"[\s\p{P}]", behavior)
        single["invert_" + behavior] = regex(r"\p{L}+", behavior, True)
    patterns = [
        r"\w+", r"\W", r"\s+(?!\S)", r"\S+", r"\d", r"\D+", r"\h+", r"\H",
        r"\bt", r"t\B", r"(?=[A-Z])", r"(?<=e)", r"(?i:'s|'t|k)", r"\p{Lu}",
        r"\p{^L}+", r"\P{L}+", r"[^\p{L}\p{N}]+", r"[[:alpha:]]+",
        r"[[:punct:]]", r"[^[:space:]]+", r"[a-z&&[^aeiou]]+", r"[a[^a-y]]+",
        r"\p{Han}+", r"\p{Latin}+", r"\p{Cyrillic}", r"\p{N}{1,3}+", r"a{,2}b",
        r"^t|e$", r"(?m:e.)", r"[^\s]", r"\x{4f60}|\u4e16",
        r"(?<x>l)\k<x>", r"\p{C}", r"\P{C}+", r"[^\P{L}a]+", r"\p{M}",
        r"[\p{Alphabetic}&&\p{Han}]", r"(t|h)++e?", r"(?>th|t)h?", r"\R",
    ]
    for i, pattern in enumerate(patterns):
        single[f"pattern_{i}"] = regex(pattern)
    for name, part in single.items():
        steps = [part] if part["type"] == "ByteLevel" else [part, BYTE_LEVEL]
        yield name, base(pre_tokenizer=sequence("pre", *steps))
    yield "byte_level_first", base(pre_tokenizer=sequence(
        "pre", BYTE_LEVEL, regex("\u0120", "MergedWithNext")))


def normalizer_variants():
    for kind in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents",
                 "Nmt"):
        yield kind, base(normalizer={"type": kind})
    for left in (True, False):
        yield f"strip_{left}", base(normalizer={
            "type": "Strip", "strip_left": left, "strip_right": not left})
    yield "byte_level_normalizer", base(
        normalizer={"type": "ByteLevel"}, pre_tokenizer=None)
    yield "replace_regex", base(normalizer={
        "type": "Replace", "pattern": {"Regex": r"\s+"}, "content": "_"})
    yield "replace_empty", base(normalizer={
        "type": "Replace", "pattern": {"String": "e"}, "content": ""})
    yield "many", base(normalizer=sequence(
        "norm", {"type": "NFKD"}, {"type": "StripAccents"},
        {"type": "Lowercase"}, {"type": "Prepend", "prepend": "_"}))


def spm_variants():
    yield "spm", spm(normalizer=sequence(
        "norm", {"type": "Prepend", "prepend": SPM},
        {"type": "Replace", "pattern": {"String": " "}, "content": SPM}))
    for scheme in ("always", "first", "never"):
        for split in (True, False):
            part = metaspace(prepend_scheme=scheme, split=split)
            yield f"metaspace_{scheme}_{split}", spm(
                pre_tokenizer=part, decoder=part,
                added_tokens=added(("<sp>", False, False, False, False, True)))
    yield "metaspace_after_split", spm(pre_tokenizer=sequence(
        "pre", {"type": "WhitespaceSplit"}, metaspace(prepend_scheme="first")))
    yield "metaspace_after_strip", spm(
        normalizer={"type": "Strip", "strip_left": True, "strip_right": False},
        pre_tokenizer=metaspace(prepend_scheme="first", split=False))
    yield "metaspace_after_replace", spm(
        normalizer={"type": "Replace", "pattern": {"Regex": "^(th|[0-9])"},
                    "content": "z"},
        pre_tokenizer=metaspace(prepend_scheme="first", split=False))
    for fuse in (True, False):
        yield f"unknown_{fuse}", spm(model=character_model(
            ["<unk>"], unk_token="<unk>", fuse_unk=fuse))
    yield "some_byte_tokens", spm(model=character_model(
        ["<unk>", "<0xE4>", "<0xB8>", "<0x96>", "<0x0A>"], unk_token="<unk>",
        byte_fallback=True))


def model_variants():
    yield "ignore_merges", base(model=byte_model(ignore_merges=True))
    words = ["un</w>", "a</w>", "e</w>", "the</w>", "the", "th", "he</w>"]
    alphabet = [chr(c) for c in range(0x21, 0x7F)]
    alphabet += [c + "</w>" for c in alphabet] + ["<unk>"]
    yield "suffix", base(
        pre_tokenizer={"type": "WhitespaceSplit"},
        decoder={"type": "BPEDecoder", "suffix": "</w>"},
        model=model(alphabet + [w for w in words if w not in alphabet],
                    [("t", "h"), ("h", "e</w>"), ("th", "e</w>"), ("th", "e")],
                    unk_token="<unk>", end_of_word_suffix="</w>"))
    yield "prefix", base(
        pre_tokenizer={"type": "Whitespace"}, decoder=None,
        model=model([chr(c) for c in range(0x21, 0x7F)]
                    + ["##" + chr(c) for c in range(0x21, 0x7F)] + ["<unk>"],
                    [("t", "##h"), ("th", "##e"), ("##h", "##e")],
                    unk_token="<unk>", continuing_subword_prefix="##"))


def added_variants():
    tokens = added(("[M]", False, True, False, False, False),
                   ("<R>", False, False, True, False, True),
                   ("word", True, False, False, False, False),
                   ("<sp>", False, False, False, False, True),
                   ("<sp>x", False, True, True, False, False),
                   ("caf\u00e9", False, False, False, True, True),
                   ("\u212b", True, False, False, True, False),
                   ("  ", False, False, False, False, False))
    yield "added", base(added_tokens=tokens)
    yield "added_nfc", base(added_tokens=tokens, normalizer={"type": "NFC"})
    yield "added_lower", base(
        added_tokens=added(("THE", False, False, False, True, True),
                           ("E", True, True, True, True, False)),
        normalizer={"type": "Lowercase"})
    yield "template", base(
        added_tokens=tokens,
        post_processor=sequence("post", GPT2, {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "x", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "y", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {
                "x": {"id": "x", "ids": [7, 8], "tokens": ["a", "b"]},
                "y": {"id": "y", "ids": [9], "tokens": ["c"]}}}))
    yield "roberta", base(post_processor={
        "type": "RobertaProcessing", "sep": ["</s>", 5], "cls": ["<s>", 6],
        "trim_offsets": True, "add_prefix_space": False})


def decoder_variants():
    yield "no_decoder", base(decoder=None)
    yield "strip_decoder", base(decoder={
        "type": "Strip", "content": "t", "start": 1, "stop": 0})
    yield "replace_decoder", base(decoder=sequence(
        "dec", {"type": "Replace", "pattern": {"Regex": "[aeiou]"},
                "content": "*"}, {"type": "Fuse"}))


def cases_of(tokenizer, draw, count):
    for _ in range(count):
        text = text_of(draw)
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        if draw.random() < 0.2:
            ids = [draw.randrange(tokenizer.get_vocab_size())
                   for _ in range(12)]
            case = {"ids": ids}
        else:
            case = {"text": text, "ids": ids, "ids_with_special":
                    tokenizer.encode(text).ids}
        case["decoded"] = tokenizer.decode(ids, skip_special_tokens=False)
        case["decoded_skip_special"] = tokenizer.decode(ids)
        stream, steps = decoders.DecodeStream(skip_special_tokens=False), []
        try:
            for token in ids:
                steps.append(stream.step(tokenizer, token))
            case["steps"] = steps
        except Exception:  # What was given can no longer be continued.
            pass
        yield case


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--texts", type=int, default=12)
    args = parser.parse_args()
    draw = random.Random(args.seed)
    variants = []
    for group in (pre_tokenizer_variants, normalizer_variants, spm_variants,
                  model_variants, added_variants, decoder_variants):
        for name, definition in group():
            try:
                tokenizer = Tokenizer.from_str(json.dumps(definition))
            except Exception as error:
                print(f"{name}: {error}", file=sys.stderr)
                continue
            variants.append({
                "name": name, "tokenizer": definition,
                "cases": list(cases_of(tokenizer, draw, args.texts))})
    json.dump({"version": tokenizers.__version__, "variants": variants},
              sys.stdout, separators=(",", ":"))


main()
