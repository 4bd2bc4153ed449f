"""Encoding beside the tokenizers library, interleaved, one core, per CPU-second.

The texts are made here: English and code from Python's own library, Chinese of
drawn words, digits, and all of it mixed. Vocabularies: the small ones of the
tests, and those below $COHORT_TOKENIZERS (folders with a tokenizer.json)."""

import json
import os
import pathlib
import pydoc_data.topics
import random
import statistics
import subprocess
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
SIZE = 400_000  # Characters of a text.
HAN = ("的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能"
       "下过子说产种面而方后多定行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加")


def chinese(draw):
    words = ["".join(draw.choices(HAN, k=draw.choice([1, 2, 2, 2, 3, 4])))
             for _ in range(4000)]
    weights = [1 / (i + 2) for i in range(len(words))]
    text = []
    for _ in range(SIZE // 14):
        text += draw.choices(words, weights, k=draw.randrange(3, 12))
        text.append(draw.choice("，。，、；：？！"))
    return "".join(text)[:SIZE]


def texts():
    draw = random.Random(0)
    library = pathlib.Path(os.__file__).parent
    code = "".join(path.read_text("utf-8", "ignore")
                   for path in sorted(library.glob("*.py"))[:60])[:SIZE]
    made = {"English": "".join(pydoc_data.topics.topics.values())[:SIZE],
            "code": code, "Chinese": chinese(draw),
            "digits": " ".join(str(draw.randrange(10 ** draw.randrange(1, 13)))
                               for _ in range(SIZE // 8))}
    mixed = []
    for _ in range(SIZE // 200):
        text = draw.choice(list(made.values()))
        begin = draw.randrange(len(text) - 200)
        mixed.append(text[begin:begin + 200])
    return made | {"mixed": "".join(mixed)}


def peer_speed(tokenizer, text, repeats):
    documents = [text[i:i + 4000] for i in range(0, len(text), 4000)]
    before = time.process_time()
    for _ in range(repeats):
        for document in documents:
            tokenizer.encode(document, add_special_tokens=False)
    return len(text.encode()) * repeats / (time.process_time() - before)


def folders(root):
    yield from sorted((root / "tests/data/tokenizers").glob("small_*"))
    more = os.environ.get("COHORT_TOKENIZERS")
    if more:
        yield from sorted(p.parent for p in
                          pathlib.Path(more).glob("*/tokenizer.json"))


def compare(binary, root, folder, repeats):
    """Yields (vocabulary, text, ours, peer) in bytes per CPU-second."""
    import tokenizers

    for name, text in texts().items():
        (folder / name).write_text(text, "utf-8")
    for vocabulary in folders(root):
        peer = tokenizers.Tokenizer.from_file(str(vocabulary / "tokenizer.json"))
        for name, text in texts().items():
            ours, theirs = [], []
            for _ in range(repeats):
                result = subprocess.run(
                    [binary, vocabulary, "2", folder / name], check=True,
                    capture_output=True, text=True)
                ours.append(next(iter(json.loads(result.stdout).values())))
                theirs.append(peer_speed(peer, text, 2))
            yield (vocabulary.name, name, statistics.median(ours),
                   statistics.median(theirs))
