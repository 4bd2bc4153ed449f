"""kill -9 at random moments: the run always ends, nothing is lost or trained
twice, and the metrics equal those of an undisturbed run bit for bit.

COHORT_KILLS sets how many kills (5; the soak of the release check uses 50)."""

import os
import random
import subprocess
import sys
import time
import unittest

from harness import Case, children_of, kill, wait_until, without_clocks

KILLS = int(os.environ.get("COHORT_KILLS", "5"))
STEPS = 8
SETTINGS = ["--set", f"stages.0.steps={STEPS}", "--set", "learner.eval_limit=16",
            "--set", "run.checkpoint_every=2"]


class KillTest(Case):
    def start(self, run, *arguments):
        log = open(self.folder / f"{run}.log", "a")
        self.addCleanup(log.close)
        return subprocess.Popen(
            self.train_command(run, *SETTINGS, *arguments), cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )

    def disturb(self, learner, victim):
        """Kills the victim; True when the learner is gone."""
        if victim in ("learner", "all"):
            children = children_of(learner.pid)
            kill(learner.pid)
            if victim == "all":
                for pid, _ in children:
                    kill(pid)
            learner.wait()
            # Children end with the learner, whoever killed it.
            self.assertTrue(wait_until(
                lambda: not any(os.path.exists(f"/proc/{pid}")
                                for pid, _ in children), 20))
            return True
        name = "cohort-rollout" if victim == "worker" else "cohort-rewards"
        for pid, child in children_of(learner.pid):
            if child == name[:15]:
                kill(pid)
                break
        return False

    def test_kills_change_nothing(self):
        self.train("calm", *SETTINGS)
        calm = [without_clocks(row) for row in self.metrics("calm")]
        draw = random.Random(int(os.environ.get("COHORT_KILL_SEED", "7")))
        kills, round_number = 0, 0
        while kills < KILLS:
            run = f"wild{round_number}"
            round_number += 1
            learner = self.start(run)
            while learner.poll() is None and kills < KILLS:
                time.sleep(draw.uniform(0.05, 2.0))
                if learner.poll() is not None:
                    break
                kills += 1
                victim = draw.choice(["learner", "worker", "rewards", "all"])
                if self.disturb(learner, victim):
                    learner = self.start(run, "--resume")
            self.assertEqual(learner.wait(timeout=300), 0,
                             (self.folder / f"{run}.log").read_text()[-4000:])
            wild = [without_clocks(row) for row in self.metrics(run)]
            self.assertEqual(wild, calm)
            groups = self.groups(run, "stage NOT LIKE '%eval%'")
            self.assertEqual(
                sorted(groups),
                sorted(self.groups("calm", "stage NOT LIKE '%eval%'")))
        print(f"{kills} kills in {round_number} runs", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
