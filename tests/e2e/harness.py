"""Whole processes, as a user starts them. Each test has a folder of its own,
binds no fixed port and reads only what a user can read."""

import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ["COHORT_BIN"])
LEARNER, ROLLOUT, REWARDS = (
    str(BIN / f"cohort-{name}") for name in ("learner", "rollout", "rewards")
)

# Keys that may differ between two runs of the same work.
CLOCK_KEYS = {"wall_s", "cpu_s"}


def without_clocks(row):
    return {
        key: value
        for key, value in row.items()
        if not (
            key in CLOCK_KEYS
            or key.startswith("time/")
            or key.endswith("_per_second")
        )
    }


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cohort_e2e_"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        subprocess.run(
            [ROOT / "scripts/make_chain.py", "--output", "data/chain",
             "--documents", "2000"],
            cwd=self.folder, check=True,
        )
        os.symlink(ROOT / "configs", self.folder / "configs")

    def train_command(self, run, *arguments, config="configs/chain_small.yaml"):
        return [LEARNER, "train", config, "--set", f"run.dir={run}", *arguments]

    def run_verb(self, command, timeout=300, **options):
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True,
            timeout=timeout, stdin=subprocess.DEVNULL, **options,
        )

    def train(self, run, *arguments, timeout=300, **options):
        result = self.run_verb(
            self.train_command(run, *arguments, **options), timeout
        )
        self.assertEqual(result.returncode, 0, result.stderr[-4000:])
        return result

    def metrics(self, run):
        with open(self.folder / run / "metrics.jsonl") as file:
            return [json.loads(line) for line in file]

    def groups(self, run, where="1"):
        path = self.folder / run / "experience.sqlite"
        with sqlite3.connect(path) as store:
            return store.execute(
                "SELECT group_id, state, trained_at_step FROM groups_view "
                f"WHERE {where}"
            ).fetchall()

    def assert_refused(self, result, code, *words):
        """One line on stderr, besides log lines, that holds all `words`."""
        self.assertEqual(result.returncode, code, result.stderr[-2000:])
        lines = [line for line in result.stderr.split("\n") if line]
        for line in lines:
            if all(word in line for word in words):
                return
        self.fail(f"no line with {words} in: {result.stderr[-2000:]}")


def children_of(pid):
    """(pid, name) of the direct children that are alive."""
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(
                line.split(":\t", 1)
                for line in status.read_text().split("\n")
                if ":\t" in line
            )
        except OSError:
            continue
        if int(fields["PPid"]) == pid and not fields["State"].startswith("Z"):
            found.append((int(status.parent.name), fields["Name"]))
    return found


def wait_until(condition, timeout=60):
    """Polls, since what is waited for is another process's doing."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
