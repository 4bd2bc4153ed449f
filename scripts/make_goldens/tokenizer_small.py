"""A compact selection of tokenizer fixtures for the tests.

    python3 scripts/make_goldens/tokenizer_small.py SOURCE tests/data/tokenizers

copies tokenizer.json of every tok_small_* folder of SOURCE as it is and of its
cases.json a few of every category: what tokenizers 0.23.3 made of the texts."""

import json
import pathlib
import random
import shutil
import sys

PER_CATEGORY = 7
LONGEST_TEXT = 400


def select(cases, draw):
    by_category = {}
    for case in cases:
        if len(case["text"]) <= LONGEST_TEXT:
            by_category.setdefault(case["cat"], []).append(case)
    for category in by_category.values():
        # The hand-made texts of the component that a fixture is about: all.
        count = (len(category) if category[0]["cat"] == "added"
                 else PER_CATEGORY)
        yield from draw.sample(category, min(count, len(category)))


def main():
    source, target = map(pathlib.Path, sys.argv[1:])
    for folder in sorted(source.glob("tok_small_*")):
        draw = random.Random(folder.name)
        out = target / folder.name.removeprefix("tok_")
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "tokenizer.json", out / "tokenizer.json")
        (out / "tokenizer.json").chmod(0o644)
        golden = json.loads((folder / "cases.json").read_text("utf-8"))
        golden["cases"] = list(select(golden["cases"], draw))
        for part in ("partial_utf8", "random_ids"):
            golden[part] = draw.sample(golden[part], 12)
        (out / "cases.json").write_text(
            json.dumps(golden, ensure_ascii=True, separators=(",", ":")) + "\n")


main()
