"""`cohort export` on the demo's run, read by others: pyarrow, datasets and
TRL's SFTTrainer format; killed with -9 and made again; live during a run."""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

BIN = pathlib.Path(os.environ["COHORT_BIN"])
ROOT = pathlib.Path(__file__).resolve().parents[2]
LEARNER = BIN / "cohort-learner"

CONFIG = """
run: {{dir: run, local_workers: 1, checkpoint_every: 2}}
model: {{checkpoint: {root}/configs/chain_base}}
rollout: {{group_size: 8, max_completion_tokens: 64}}
rewards: {{format_weight: 0.1, format: compact}}
learner:
  threads: 1
  prompts: prompts.jsonl
  prompts_per_step: 8
  learning_rate: 5.0e-4
  kl_weight: 0
export: {{file: live.jsonl, correct: true, duplicates: near}}
stages:
  - {{kind: rl, name: rl, steps: 4}}
"""


def write_prompts(path):
    draw = random.Random(0)
    with open(path, "w") as file:
        for i in range(64):
            a, b = draw.randint(2, 9), draw.randint(2, 9)
            print(json.dumps({"id": f"p{i}", "prompt": f"^E{a}+{b}=",
                              "verifier": "chain",
                              "answer": str((a + b) % 10)}), file=file)


class ExportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="cohort-export-"))
        write_prompts(cls.folder / "prompts.jsonl")
        (cls.folder / "run.yaml").write_text(CONFIG.format(root=ROOT))
        cls.call(["train", "run.yaml"])

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @classmethod
    def call(cls, args, code=0):
        done = subprocess.run([LEARNER, *map(str, args)], cwd=cls.folder,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=300)
        assert done.returncode == code, (args, done.stderr[-2000:])
        return done.stderr

    def export(self, name, *filters):
        self.call(["export", "run", "--output", name, *filters])
        return self.folder / name

    def rows(self, path):
        return [json.loads(line) for line in path.read_text().split("\n")[:-1]]

    def test_other_readers_find_the_same_rows(self):
        import pyarrow.parquet as pq
        rows = self.rows(self.export("a.jsonl", "--token-ids"))
        self.assertEqual(len(rows), 4 * 8 * 8)
        table = pq.read_table(self.export("a.parquet", "--token-ids"))
        self.assertEqual(table.to_pylist(), rows)
        for row in rows:
            self.assertEqual(row["completion_tokens"], len(row["completion_ids"]))
            self.assertRegex(row["weights_hash"], "^[0-9a-f]{16}$")
        # One hash for each of the four policies that sampled.
        self.assertEqual(len({r["weights_hash"] for r in rows}), 4)

    def test_datasets_and_trl_take_it_as_it_is(self):
        try:
            import datasets
            from trl.data_utils import is_conversational
        except ImportError:
            self.skipTest("datasets and trl are not installed")
        for name in ("t.jsonl", "t.parquet"):
            path = self.export(name, "--correct")
            kind = "json" if name.endswith("jsonl") else "parquet"
            loaded = datasets.load_dataset(
                kind, data_files=str(path), split="train",
                cache_dir=str(self.folder / "cache"))
            self.assertGreater(len(loaded), 0)
            self.assertTrue(is_conversational(loaded[0]))
            self.assertEqual([m["role"] for m in loaded[0]["messages"]],
                             ["user", "assistant"])
            # Names that TRL reads as something else.
            self.assertFalse({"prompt", "completion", "chosen", "rejected",
                              "text", "input_ids", "labels", "images", "tools"}
                             & set(loaded.column_names))

    def test_a_killed_export_ends_with_the_same_bytes(self):
        whole = self.export("k.jsonl", "--duplicates", "near").read_bytes()
        (self.folder / "k.jsonl").unlink()
        for delay in (0.0, 0.01, 0.02, 0.04):
            child = subprocess.Popen(
                [LEARNER, "export", "run", "--output", "k.jsonl",
                 "--duplicates", "near"], cwd=self.folder,
                stderr=subprocess.DEVNULL)
            time.sleep(delay)
            child.send_signal(signal.SIGKILL)
            child.wait()
            path = self.folder / "k.jsonl"
            self.assertTrue(not path.exists() or path.read_bytes() == whole)
        self.assertEqual(
            self.export("k.jsonl", "--duplicates", "near").read_bytes(), whole)

    def test_the_live_file_is_what_the_verb_makes(self):
        made = self.export("v.jsonl", "--correct", "--duplicates", "near")
        self.assertEqual((self.folder / "live.jsonl").read_bytes(),
                         made.read_bytes())
        manifest = json.loads(
            (self.folder / "live.jsonl.manifest.json").read_text())
        self.assertEqual(manifest["completions"], 4 * 8 * 8)
        self.assertEqual(manifest["rows"], len(self.rows(made)))
        self.assertEqual(manifest["filters"][-1]["left"], manifest["rows"])

    def test_bad_calls_are_one_line(self):
        for args, code, words in (
                (["run", "--output", "x.csv"], 2, "x.csv"),
                (["run"], 2, "--output"),
                (["nowhere", "--output", "x.jsonl"], 1, "nowhere"),
                (["run", "--output", "x.jsonl", "--decontaminate",
                  "gone.jsonl"], 1, "gone.jsonl")):
            error = self.call(["export", *args], code)
            self.assertEqual(error.count("\n"), 1, error)
            self.assertIn(words, error)
        self.assertFalse((self.folder / "x.jsonl").exists())

    def test_a_file_of_somebody_else_is_not_written_over(self):
        (self.folder / "run2.yaml").write_text(
            CONFIG.format(root=ROOT).replace("dir: run,", "dir: run2,"))
        self.assertIn("live.jsonl exists", self.call(["train", "run2.yaml"], 1))
        self.assertFalse((self.folder / "run2").exists())


if __name__ == "__main__":
    unittest.main()
