"""Bad input is met at the door: one clear line, the right exit code."""

import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

from harness import LEARNER, REWARDS, ROLLOUT, ROOT, Case, wait_until


class BadInputTest(Case):
    def try_train(self, *arguments, run="run", **options):
        return self.run_verb(self.train_command(run, *arguments, **options), 60)

    def test_unknown_key_names_file_line_and_nearest(self):
        (self.folder / "typo.yaml").write_text(
            "learner:\n  learning_rat: 1\nstages:\n  - {kind: rl, steps: 1}\n")
        self.assert_refused(
            self.try_train(config="typo.yaml"), 1,
            "typo.yaml:2", "learning_rat", "learning_rate")

    def test_impossible_values_are_refused_by_key(self):
        for override, word in (
            ("rollout.group_size=1", "group_size"),
            ("rollout.top_p=1.5", "top_p"),
            ("rollout.max_completion_tokens=4096", "positions"),
            ("learner.learning_rate=fast", "learning_rate"),
            ("rollout.speculative=true", "rollout.speculative"),
            ("learner.no_such=1", "no_such"),
        ):
            self.assert_refused(self.try_train("--set", override), 1, word)

    def test_missing_files_are_named(self):
        self.assert_refused(
            self.try_train(config="nowhere.yaml"), 1, "nowhere.yaml")
        self.assert_refused(
            self.try_train("--set", "model.checkpoint=nowhere"), 1, "nowhere")
        self.assert_refused(
            self.try_train("--set", "learner.prompts=none.jsonl"), 1,
            "none.jsonl")
        # Workers were started meanwhile; neither they nor a folder stay.
        self.assertFalse((self.folder / "run").exists())

    def test_damaged_weights_are_refused(self):
        shutil.copytree(ROOT / "configs/chain_base", self.folder / "model")
        weights = self.folder / "model/model.safetensors"
        whole = weights.read_bytes()
        for damage in (whole[: len(whole) // 2], b"\xff" * 8 + whole[8:], b""):
            weights.write_bytes(damage)
            self.assert_refused(
                self.try_train("--set", "model.checkpoint=model"), 1,
                "model.safetensors")

    def test_foreign_weights_are_refused_by_tensor_name(self):
        shutil.copytree(ROOT / "configs/chain_base", self.folder / "model")
        path = self.folder / "model/config.json"
        config = json.loads(path.read_text())
        config["num_hidden_layers"] = 4
        path.write_text(json.dumps(config))
        self.assert_refused(
            self.try_train("--set", "model.checkpoint=model"), 1,
            "model.layers.3.")

    def test_bad_prompt_rows_are_named_by_line(self):
        good = {"id": "a", "prompt": "^E1+2=", "verifier": "chain",
                "answer": "3"}
        for line, words in (
            ("not json", ["p.jsonl:2"]),
            (json.dumps({"id": "b", "answer": "3"}), ["p.jsonl:2", "prompt"]),
            (json.dumps(good), ["p.jsonl:2", "a"]),
            (json.dumps({**good, "id": "b", "verifier": "magic"}), ["magic"]),
            (json.dumps({"id": "b", "prompt": "^E1=", "verifier": "chain"}),
             ["b", "answer"]),
            (json.dumps({**good, "id": "b", "prompt": "^Eq="}), ["p.jsonl", "b"]),
        ):
            (self.folder / "p.jsonl").write_text(
                json.dumps(good) + "\n" + line + "\n")
            result = self.try_train("--set", "learner.prompts=p.jsonl")
            self.assert_refused(result, 1, *words)
            shutil.rmtree(self.folder / "run", ignore_errors=True)

    def test_an_existing_run_is_not_overwritten(self):
        (self.folder / "run").mkdir()
        (self.folder / "run/metrics.jsonl").write_text("{}\n")
        self.assert_refused(self.try_train(), 1, "run", "--resume")

    @unittest.skipIf(os.geteuid() == 0, "root writes anywhere")
    def test_a_read_only_folder_is_named(self):
        (self.folder / "locked").mkdir(mode=0o500)
        self.assert_refused(self.try_train(run="locked/run"), 1, "locked")

    def test_a_run_folder_that_cannot_be_made_is_named(self):
        (self.folder / "file").write_text("")
        self.assert_refused(self.try_train(run="file/run"), 1, "file/run")

    def test_a_full_disk_ends_the_run_by_name(self):
        full = self.folder / "full"
        full.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", full],
            capture_output=True)
        if mounted.returncode:
            self.skipTest("mounting a small tmpfs is not allowed here")
        self.addCleanup(subprocess.run, ["umount", "-l", full])
        result = self.try_train(run="full/run")
        self.assertEqual(result.returncode, 1, result.stderr[-2000:])
        self.assertRegex(result.stderr, "full/run.*(o space|full)")

    def test_a_second_learner_is_refused_and_sigint_resumes(self):
        first = subprocess.Popen(
            self.train_command("run", "--set", "stages.0.steps=200"),
            cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        metrics = self.folder / "run/metrics.jsonl"
        self.assertTrue(wait_until(
            lambda: metrics.exists() and metrics.stat().st_size > 0))
        self.assert_refused(self.try_train("--resume"), 1, "run", "a learner is at work")
        first.send_signal(signal.SIGINT)
        _, errors = first.communicate(timeout=30)
        self.assertIn("--resume", errors)
        done = len(self.metrics("run"))
        self.train("run", "--resume", "--set", f"stages.0.steps={done + 2}")
        self.assertEqual([row["step"] for row in self.metrics("run")],
                         list(range(1, done + 3)))

    def test_a_port_in_use_is_named(self):
        server = subprocess.Popen(
            [REWARDS, "reward-server"], stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        address = server.stdout.readline().split()[-1]
        self.addCleanup(server.stdout.close)
        self.assert_refused(
            self.run_verb([REWARDS, "reward-server", "--listen", address], 30),
            1, address)
        self.assert_refused(
            self.try_train("--set", f"run.listen={address}"), 1, address)

    def test_a_worker_with_another_model_is_refused(self):
        shutil.copytree(ROOT / "configs/chain_base", self.folder / "model")
        path = self.folder / "model/config.json"
        config = json.loads(path.read_text())
        config["rope_theta"] = 10000.0
        path.write_text(json.dumps(config))
        (self.folder / "worker.yaml").write_text(
            "model: {checkpoint: model}\nstages:\n  - {kind: rl, steps: 1}\n")
        learner = subprocess.Popen(
            self.train_command("run", "--set", "run.local_workers=0",
                               "--set", "rewards.address=127.0.0.1:1",
                               "--set", "stages.0.steps=2"),
            cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(learner.wait)
        self.addCleanup(learner.kill)
        self.addCleanup(learner.stderr.close)
        address = None
        for line in learner.stderr:
            if "listening on " in line:
                address = line.split("listening on ")[1].split()[0]
                break
        self.assertIsNotNone(address)
        self.assert_refused(
            self.run_verb([ROLLOUT, "rollout-worker", "--learner", address,
                           "--rewards", "127.0.0.1:1",
                           "--config", "worker.yaml"], 60), 1, "model")


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
