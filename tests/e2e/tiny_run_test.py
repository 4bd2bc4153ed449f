"""A short run from the committed base model, and everything it leaves."""

import json
import subprocess
import sys
import unittest

from harness import LEARNER, REWARDS, ROLLOUT, ROOT, Case, without_clocks

STEPS = 6
KEYS = """step stage policy_version wall_s cpu_s train/reward_mean
train/accuracy train/format train/completion_tokens_mean
train/groups_without_spread loss/total loss/kl_nats loss/clip_fraction
loss/entropy_nats loss/grad_norm mismatch/kl_nats mismatch/max_abs_logprob_diff
rollout/tokens_per_second rollout/staleness_mean time/sample_s time/grade_s
time/update_s time/sync_s""".split()

# A base model whose prediction head is trained too, then RL.
GUESSES = """
model: {checkpoint: data/chain/model, init: fan_in}
rollout: {group_size: 8, max_completion_tokens: 64}
rewards: {format_weight: 0.1, format: compact}
learner: {threads: 1}
stages:
  - kind: sft
    steps: 40
    learner:
      corpus: data/chain/corpus.jsonl
      documents_per_step: 16
      learning_rate: 2.0e-3
      mtp_weight: 0.3
  - kind: rl
    steps: 2
    learner: {prompts: data/chain/train.jsonl, prompts_per_step: 4}
"""



class TinyRunTest(Case):
    def test_a_run_leaves_what_the_readme_says(self):
        self.train("run", "--set", f"stages.0.steps={STEPS}",
                   "--set", "learner.eval_limit=32")
        rows = self.metrics("run")
        self.assertEqual([row["step"] for row in rows],
                         list(range(1, STEPS + 1)))
        for row in rows:
            self.assertEqual([], [key for key in KEYS if key not in row])
            self.assertLess(row["mismatch/max_abs_logprob_diff"], 5e-5)
            self.assertEqual(row["rollout/staleness_mean"], 0)
        summary = json.loads((self.folder / "run/summary.json").read_text())
        self.assertLess(summary["accuracy_before"]["greedy"], 0.35)
        self.assertIn("sampled", summary["accuracy_after"])
        trained = self.groups("run", "stage NOT LIKE '%eval%'")
        self.assertEqual(len(trained), STEPS * 8)
        self.assertEqual({state for _, state, _ in trained}, {"trained"})
        self.assertEqual(len({group for group, _, _ in trained}), STEPS * 8)
        self.check_event_files()
        self.check_checkpoint()
        shown = self.run_verb([LEARNER, "inspect", "run", "--limit", "2"])
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("^E", shown.stdout)

    def test_guesses_change_nothing_but_their_own_metric(self):
        path = self.folder / "data/chain/model/config.json"
        config = json.loads(path.read_text())
        config["num_nextn_predict_layers"] = 1
        path.write_text(json.dumps(config))
        (self.folder / "guesses.yaml").write_text(GUESSES)
        rows = {}
        for speculative in ("false", "true"):
            self.train(speculative, "--set", f"rollout.speculative={speculative}",
                       config="guesses.yaml")
            rows[speculative] = [
                without_clocks(row) for row in self.metrics(speculative)]
        accepted = [row.pop("rollout/draft_acceptance")
                    for row in rows["true"] if row["stage"] == "rl"]
        self.assertEqual(rows["true"], rows["false"])
        self.assertEqual(len(accepted), 2)
        for share in accepted:
            self.assertGreater(share, 0.2)
            self.assertLess(share, 1)

    def check_event_files(self):
        try:
            from tensorboard.backend.event_processing import event_accumulator
        except ImportError:
            self.skipTest("TensorBoard is not installed")
        events = event_accumulator.EventAccumulator(
            str(self.folder / "run/tensorboard"))
        events.Reload()
        scalars = events.Scalars("train/reward_mean")
        rewards = [row["train/reward_mean"] for row in self.metrics("run")]
        self.assertEqual([event.step for event in scalars],
                         list(range(1, STEPS + 1)))
        for event, reward in zip(scalars, rewards):
            self.assertAlmostEqual(event.value, reward, places=5)

    def check_checkpoint(self):
        try:
            import torch
            import transformers
        except ImportError:
            self.skipTest("transformers is not installed")
        folder = self.folder / "run/checkpoints/latest"
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        prompt = tokenizer("^E7*3+8-5=", return_tensors="pt")
        text = tokenizer.decode(
            model.generate(**prompt, max_new_tokens=60, do_sample=False)[0])
        self.assertRegex(text, r"^\^E7\*3\+8-5=.*\$$")

    def test_the_same_binaries_run_another_task(self):
        """Another vocabulary, verifier and shape; nothing here knows chains."""
        model = self.folder / "other"
        model.mkdir()
        config = json.loads((ROOT / "configs/chain_base/config.json").read_text())
        config.update(vocab_size=256, q_lora_rank=None, hidden_size=64,
                      num_hidden_layers=2, eos_token_id=10)
        (model / "config.json").write_text(json.dumps(config))
        with open(self.folder / "sums.jsonl", "w") as file:
            for i in range(12):
                row = {"question": f"{i}+1=", "gold": f"so #### {i + 1}"}
                file.write(json.dumps(row) + "\n")
            file.write(json.dumps({"question": "9" * 300, "gold": "1"}) + "\n")
        (self.folder / "other.yaml").write_text("""
model: {checkpoint: other, tokenizer: bytes, init: normal}
rollout: {group_size: 4, max_completion_tokens: 8}
rewards: {format_weight: 0.5}
stages:
  - kind: rl
    steps: 2
    learner:
      prompts: {file: sums.jsonl, fields: {prompt: question, answer: gold}, verifier: math}
      prompts_per_step: 4
      kl_weight: 0
""")
        result = self.train("run", config="other.yaml")
        self.assertEqual(len(self.metrics("run")), 2)
        self.assertIn("dropped", result.stderr + result.stdout)

    def test_one_step_is_the_same_with_one_worker_and_with_three(self):
        for workers in (1, 3):
            self.train(f"run{workers}", "--set", "stages.0.steps=2",
                       "--set", f"run.local_workers={workers}",
                       "--set", "learner.eval_limit=8")
        from harness import without_clocks
        self.assertEqual(
            [without_clocks(row) for row in self.metrics("run1")],
            [without_clocks(row) for row in self.metrics("run3")],
        )

    def test_every_verb_has_help_and_refuses_unknown_flags(self):
        for binary, verbs in (
            (LEARNER, ["train", "sft", "export", "inspect", "loss", "doctor"]),
            (ROLLOUT, ["rollout-worker", "doctor"]),
            (REWARDS, ["reward-server", "grade", "doctor"]),
        ):
            for verb in verbs:
                shown = self.run_verb([binary, verb, "--help"])
                self.assertEqual(shown.returncode, 0, (verb, shown.stderr))
                self.assertIn("usage", shown.stdout.lower())
                wrong = self.run_verb([binary, verb, "--no-such-flag"])
                self.assertEqual(wrong.returncode, 2, (verb, wrong.stderr))

    def test_the_reward_server_links_no_libtorch(self):
        linked = subprocess.run(["ldd", REWARDS], capture_output=True, text=True)
        self.assertNotIn("torch", linked.stdout)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
