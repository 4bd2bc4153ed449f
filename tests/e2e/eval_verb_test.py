"""`cohort eval`: what it says about a model is what its own completions say."""

import itertools
import json
import socket
import statistics
import subprocess
import unittest

from harness import ROLLOUT, REWARDS, Case, children_of

MODEL = "configs/chain_base"
TASKS = "data/chain/heldout.jsonl"


class EvalVerbTest(Case):
    def eval(self, *arguments, tasks=TASKS, model=MODEL):
        return self.run_verb(
            [ROLLOUT, "eval", "--model", model, "--tasks", tasks,
             "--max-tokens", "48", "--output", "scores.json", *arguments])

    def scores(self, *arguments, **more):
        result = self.eval(*arguments, **more)
        self.assertEqual(result.returncode, 0, result.stderr[-2000:])
        samples = (self.folder / "scores.samples.jsonl").read_text()
        return (json.loads((self.folder / "scores.json").read_text()),
                [json.loads(line) for line in samples.splitlines()])

    def test_scores_are_those_of_the_samples(self):
        scores, samples = self.scores(
            "--n", "6", "--k", "1,2,6", "--limit", "24", "--temperature", "1",
            "--top-p", "1")
        self.assertEqual(len(samples), 24)
        right = [[c["verdict"] == "correct" for c in task["completions"]]
                 for task in samples]
        self.assertTrue(all(len(task) == 6 for task in right))
        self.assertGreater(sum(map(sum, right)), 0)
        for k in (1, 2, 6):
            # The definition itself: the share of draws of k that hold one.
            draws = [statistics.fmean(any(draw) for draw in
                                      itertools.combinations(task, k))
                     for task in right]
            self.assertAlmostEqual(scores[f"pass@{k}"],
                                   statistics.fmean(draws))
        votes = []
        for task in samples:
            answers = [c for c in task["completions"]
                       if c["answer_class"] >= 0]
            classes = [c["answer_class"] for c in answers]
            best = max(classes, key=classes.count, default=None)
            votes.append(any(c["answer_class"] == best and
                             c["verdict"] == "correct" for c in answers))
        self.assertAlmostEqual(scores["maj@6"], statistics.fmean(votes))
        self.assertEqual(sum(scores["verdicts"].values()), 24 * 6)

    def test_the_same_seed_gives_the_same_file_through_any_server(self):
        arguments = ("--n", "2", "--limit", "8", "--seed", "5")
        own = self.scores(*arguments)
        server = subprocess.Popen([REWARDS, "reward-server"], text=True,
                                  stdout=subprocess.PIPE)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        address = server.stdout.readline().split()[-1]
        self.assertEqual(own, self.scores(*arguments, "--rewards", address))
        self.assertNotEqual(own, self.scores("--n", "2", "--limit", "8",
                                             "--seed", "6"))

    def test_wrong_calls_are_refused(self):
        self.assert_refused(self.eval("--n", "2", "--k", "4"), 2, "pass@4",
                            "--n")
        self.assert_refused(self.eval("--chat", "maybe"), 2, "--chat")
        self.assert_refused(self.eval("--format", "gsm9k"), 1, "gsm8k")
        self.assert_refused(self.eval(tasks="none.jsonl"), 1, "none.jsonl")
        self.assert_refused(self.eval("--chat", "always"), 1, "chat_template")

    def test_tasks_that_cannot_be_graded_are_named_first(self):
        rows = [{"id": "good", "prompt": "1+1=", "verifier": "exact",
                 "answer": "2"},
                {"id": "bad", "prompt": "1+1=", "verifier": "guess"}]
        (self.folder / "bad.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows))
        self.assert_refused(self.eval(tasks="bad.jsonl"), 1, "bad.jsonl",
                            "prompt bad", "guess")

    def test_a_server_that_is_not_there_is_named(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.assert_refused(self.eval("--rewards", f"127.0.0.1:{port}"), 1,
                            "reward server", f"127.0.0.1:{port}")

    def test_nothing_is_left_running(self):
        self.scores("--limit", "2")
        self.assertEqual(
            [name for _, name in children_of(1) if "cohort" in name], [])


if __name__ == "__main__":
    unittest.main()
