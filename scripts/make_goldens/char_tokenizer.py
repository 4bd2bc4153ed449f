"""What the tokenizers library makes of texts under the demo's tokenizer.

    python3 scripts/make_goldens/char_tokenizer.py tests/data/char_tokenizer

writes tokenizer.json and cases.json there. Needs the package tokenizers."""

import json
import os
import random
import sys

import tokenizers

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import char_model  # noqa: E402

TEXTS = [
    "",
    "^E7*3+8-5=[7*3=1;1+8=9;9-5=4]{4}$",
    "__$$^^",
    "[[]]{}{}",
    "yn.CEN:?!,",
]


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    definition = char_model.tokenizer()
    # Beyond the demo: a long token, one that begins another, a plain one.
    definition["added_tokens"] += [
        dict(definition["added_tokens"][0], id=34 + i, content=content,
             special=special, normalized=not special)
        for i, (content, special) in enumerate(
            [("$$", True), ("$$$1", True), ("{4}", False), ("é", False)])
    ]
    path = os.path.join(folder, "tokenizer.json")
    char_model.write_json(path, definition)
    tokenizer = tokenizers.Tokenizer.from_file(path)
    rng = random.Random(1)
    texts = TEXTS + [
        "".join(rng.choices(char_model.CHARACTERS + "$$é", k=rng.randint(1, 40)))
        for _ in range(60)
    ]
    cases = []
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        cases.append({
            "text": text,
            "ids": ids,
            "decoded": tokenizer.decode(ids, skip_special_tokens=False),
            "decoded_without_special": tokenizer.decode(ids),
        })
    char_model.write_json(
        os.path.join(folder, "cases.json"),
        {"made_by": f"tokenizers {tokenizers.__version__}", "cases": cases})


main()
