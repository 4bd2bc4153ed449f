"""Whether the engines that a benchmark compares compute the same model: one JSON
line, each one's largest deviation from transformers.

    peer_logits.py FOLDER COHORT_BIN [--llama BIN/llama-debug --gguf FILE]

Cohort: log-probabilities (nats) of the tokens of a greedy completion, decoded
step by step. llama.cpp: logits of a prompt's last token, over the largest.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import timing  # noqa: F401  Sets thread counts before torch is there.

# The names of make_gguf.py: printable ASCII from token 3 on, one merge, "ab".
TEXT = "cdxyzQRS+-*/=QWERTY"


def ours(binary, model, ids, folder):
    """Tokens of a greedy completion and their log-probabilities."""
    (folder / "ids.jsonl").write_text(json.dumps({"id": "0", "ids": ids}) + "\n")
    subprocess.run(
        [binary, "generate", "--model", model, "--input", folder / "ids.jsonl",
         "--output", folder / "out.jsonl", "--temperature", "0", "--max-tokens",
         "24", "--ignore-eos", "--device", "cpu"],
        check=True, capture_output=True)
    completion = json.loads((folder / "out.jsonl").read_text())["completions"][0]
    return completion["ids"], completion["logprobs"]


def llama(binary, gguf, folder):
    import numpy
    import torch

    subprocess.run([binary, "-m", gguf, "-t", "1", "-p", TEXT, "--save-logits",
                    "--logits-output-dir", folder],
                   check=True, capture_output=True)
    [found] = [path for path in folder.glob("llamacpp-*.bin")
               if not path.stem.endswith("-tokens")]
    return torch.from_numpy(numpy.fromfile(found, numpy.float32))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("binary")
    parser.add_argument("--llama")
    parser.add_argument("--gguf")
    args = parser.parse_args()

    import torch
    import transformers

    ids = [3 + ord(c) - 33 for c in TEXT]
    model = transformers.AutoModelForCausalLM.from_pretrained(
        args.folder, dtype=torch.float32).eval()

    def logits(tokens):
        with torch.no_grad():
            return model(torch.tensor([tokens])).logits[0]

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        tokens, logprobs = ours(args.binary, args.folder, ids, folder)
        wanted = logits(ids + tokens)[len(ids) - 1:-1].log_softmax(-1)
        chosen = wanted.gather(1, torch.tensor(tokens).unsqueeze(1)).squeeze(1)
        result = {"cohort": float(
            (torch.tensor(logprobs) - chosen).abs().max())}
        if args.llama:
            last = logits(ids)[-1]
            found = llama(args.llama, args.gguf, folder)
            result["llama.cpp"] = float(
                (found - last).abs().max() / last.abs().max())
    print(json.dumps(result))


main()
