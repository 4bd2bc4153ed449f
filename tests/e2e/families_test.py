"""`generate` and `score` on the fixtures, as a user starts them: what
transformers computed from the same folders. Beside tests/data/parity the folder
that COHORT_PARITY_DIR names is read, if it is set."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy
from safetensors import safe_open

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROLLOUT = str(pathlib.Path(os.environ["COHORT_BIN"]) / "cohort-rollout")
FORMS = ("fp32", "fp32_sharded", "bf16", "bf16_sharded_release_style")


def fixtures():
    """Every (folder, form of its weights, reference)."""
    roots = [ROOT / "tests/data/parity"]
    if "COHORT_PARITY_DIR" in os.environ:
        roots.append(pathlib.Path(os.environ["COHORT_PARITY_DIR"]))
    for root in roots:
        for folder in sorted(root.iterdir()):
            for form in FORMS:
                name = "reference_bf16" if "bf16" in form else "reference"
                reference = folder / f"{name}.safetensors"
                if (folder / form / "config.json").exists() and reference.exists():
                    yield folder, form, reference


class Tensors:
    """Read one by one: numpy knows no bfloat16, which some of them are."""

    def __init__(self, path):
        self.file = safe_open(path, "numpy")
        self.names = set(self.file.keys())

    def __contains__(self, name):
        return name in self.names

    def __getitem__(self, name):
        return self.file.get_tensor(name)


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def read_rows(text):
    return [json.loads(line) for line in text.splitlines()]


class FamiliesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cohort_families_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_verb(self, *command, code=0, **options):
        result = subprocess.run(
            [ROLLOUT, *map(str, command)], capture_output=True, text=True,
            timeout=120, cwd=self.folder, **options)
        self.assertEqual(result.returncode, code, result.stderr[-2000:])
        return result

    def write_prompts(self, reference):
        self.rows = [{"id": f"s{i}", "ids": reference[f"s{i}.input_ids"].tolist()}
                     for i in range(3) if f"s{i}.input_ids" in reference]
        write_rows(self.folder / "in.jsonl", self.rows)

    def check_generate(self, model, reference):
        self.run_verb("generate", "--model", model, "--input", "in.jsonl",
                      "--output", "out.jsonl", "--temperature", 0,
                      "--max-tokens", 24, "--ignore-eos")
        out = read_rows((self.folder / "out.jsonl").read_text())
        for row, got in zip(self.rows, out, strict=True):
            [completion] = got["completions"]
            self.assertEqual(got["id"], row["id"])
            self.assertEqual(completion["ids"],
                             reference[row["id"] + ".generated"].tolist())
            gap = numpy.abs(completion["logprobs"]
                            - reference[row["id"] + ".generated_logprobs"])
            self.assertLessEqual(gap.max(), 9e-4)
            self.assertEqual(completion["finish_reason"], "length")
            self.assertIsNone(completion["text"])

    def check_score(self, model, reference):
        self.run_verb("score", "--model", model, "--input", "in.jsonl",
                      "--output", "scores.jsonl", "--logits", "l.safetensors")
        logits = Tensors(self.folder / "l.safetensors")
        scores = read_rows((self.folder / "scores.jsonl").read_text())
        for row, got in zip(self.rows, scores, strict=True):
            wanted = reference[row["id"] + ".logits"]
            limit = 1e-4 * numpy.abs(wanted).max()
            self.assertEqual(got["id"], row["id"])
            self.assertLessEqual(
                numpy.abs(logits["logits." + row["id"]] - wanted).max(), limit)
            self.assertLessEqual(
                numpy.abs(numpy.array(got["logprobs"])
                          - reference[row["id"] + ".logprobs"]).max(), limit)

    def test_verbs_give_what_transformers_gives(self):
        for folder, form, path in fixtures():
            config = json.loads((folder / form / "config.json").read_text())
            if config["model_type"] == "deepseek_v4":
                continue
            with self.subTest(fixture=folder.name, form=form):
                reference = Tensors(path)
                self.write_prompts(reference)
                if not self.rows:
                    continue
                self.check_generate(folder / form, reference)
                self.check_score(folder / form, reference)

    # All in bfloat16 is judged against float32 on the same weights, as loosely
    # as transformers' own bfloat16 differs from it.
    def test_bfloat16_stays_as_near_as_the_reference(self):
        for folder, form, path in fixtures():
            manifest = json.loads((folder / "manifest.json").read_text())
            limits = manifest.get("tolerances", {}).get("bf16_compute")
            if form != "bf16" or limits is None or folder.name == "deepseek_v4":
                continue
            with self.subTest(fixture=folder.name):
                reference = Tensors(path)
                self.write_prompts(reference)
                self.run_verb("score", "--model", folder / form, "--input",
                              "in.jsonl", "--output", "-", "--dtype",
                              "bfloat16", "--logits", "l.safetensors")
                logits = Tensors(self.folder / "l.safetensors")
                gaps = numpy.concatenate([
                    numpy.abs(logits["logits." + row["id"]]
                              - reference[row["id"] + ".logits"]).ravel()
                    for row in self.rows])
                self.assertLessEqual(gaps.mean(), limits["logits_mean_abs"])
                self.assertLessEqual(gaps.max(), limits["logits_max_abs"])

    def test_guesses_change_no_completion(self):
        heads = 0
        for folder, form, path in fixtures():
            config = json.loads((folder / form / "config.json").read_text())
            if not config.get("num_nextn_predict_layers"):
                continue
            heads += 1
            self.write_prompts(Tensors(path))
            for flags in (["--temperature", 0], ["--n", 6],
                          ["--n", 6, "--temperature", 0.7, "--top-p", 0.9],
                          ["--n", 6, "--top-k", 8, "--threads", 2]):
                common = ["generate", "--model", folder / form, "--input",
                          "in.jsonl", "--max-tokens", 24, *flags]
                plain = self.run_verb(*common, "--output", "plain.jsonl")
                guessed = self.run_verb(*common, "--output", "guessed.jsonl",
                                        "--speculative")
                with self.subTest(fixture=folder.name, form=form, flags=flags):
                    self.assertEqual(
                        (self.folder / "guessed.jsonl").read_bytes(),
                        (self.folder / "plain.jsonl").read_bytes())
                    self.assertNotIn("acceptance=", plain.stderr)
                    self.assertIn("acceptance=", guessed.stderr)
        self.assertGreater(heads, 0)

    def test_guesses_need_a_head(self):
        write_rows(self.folder / "in.jsonl", [{"id": 1, "ids": [1]}])
        model = ROOT / "tests/data/parity/deepseek_v3/fp32"
        result = self.run_verb("generate", "--model", model, "--input",
                               "in.jsonl", "--output", "-", "--speculative",
                               code=1)
        self.assertIn("--speculative", result.stderr)
        self.assertIn("prediction head", result.stderr)

    def test_an_unknown_family_is_named(self):
        (self.folder / "m").mkdir()
        (self.folder / "m/config.json").write_text(
            json.dumps({"model_type": "deepseek_v4"}))
        write_rows(self.folder / "in.jsonl", [{"id": 1, "ids": [1]}])
        for verb in ("generate", "score"):
            result = self.run_verb(verb, "--model", "m", "--input", "in.jsonl",
                                   "--output", "-", code=1)
            self.assertIn('model_type "deepseek_v4" is not supported',
                          result.stderr)

    def test_rows_have_errors_of_their_own(self):
        model = ROOT / "tests/data/parity/deepseek_v3/fp32"
        vocab = json.loads((model / "config.json").read_text())["vocab_size"]
        rows = [{"id": "good", "ids": [5]}, {"id": "far", "ids": [vocab]},
                {"id": "long", "ids": [1] * 5000}, {"id": "none"}]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        common = ("--model", model, "--input", "-", "--output", "-")
        scores = read_rows(
            self.run_verb("score", *common, input=text).stdout)
        self.assertEqual(scores[0], {"id": "good", "logprobs": []})
        for row, word in zip(scores[1:], ("token", "positions", "ids")):
            self.assertIn(word, row["error"])
        done = read_rows(
            self.run_verb("generate", *common, "--n", 2, "--top-k", 3, "--seed",
                          9, "--max-tokens", 4, input=text).stdout)
        self.assertEqual(len(done[0]["completions"]), 2)
        for row, word in zip(done[1:], ("token", "positions", "neither")):
            self.assertIn(word, row["error"])

    def test_a_wrong_call_exits_with_2(self):
        common = ("--model", "m", "--input", "-", "--output", "-")
        for verb, *flags in (
            ("generate", "--top-p", 1.5), ("generate", "--top-k", -1),
            ("generate", "--temperature", -1), ("generate", "--n", 0),
            ("generate", "--stop", ""), ("generate", "--dtype", "int8"),
            ("score", "--dtype", "float16"), ("score", "--device", "tpu"),
            ("score", "--threads", -1), ("score", "--no-such", 1),
        ):
            result = self.run_verb(verb, *common, *flags, code=2)
            self.assertIn(str(flags[0]), result.stderr)


if __name__ == "__main__":
    unittest.main()
