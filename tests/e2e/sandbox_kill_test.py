"""A server or a launcher that is killed leaves nothing of its runs behind."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from sandbox_traces import cgroups, lacks_fences, survivors

REWARDS = pathlib.Path(os.environ["COHORT_BIN"]) / "cohort-rewards"
SLEEPER = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
time.sleep(600)
"""


def wait_until(condition, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


class KillTest(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name)
        self.before = cgroups()

    def manifest(self, code, rows=2):
        (self.folder / "p.py").write_text(code)
        row = {"file": "p.py", "language": "python", "expected_stdout": "7\n",
               "limits": {"wall_ms": 60000}}
        (self.folder / "m.jsonl").write_text((json.dumps(row) + "\n") * rows)

    def start(self):
        process = subprocess.Popen(
            [REWARDS, "exec", "--input", self.folder / "m.jsonl", "--output",
             self.folder / "out.jsonl"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        if not wait_until(lambda: len(survivors()) >= 4
                          or process.poll() is not None):
            process.kill()
            self.fail("the programs did not start")
        if process.poll() is not None:
            errors = process.stderr.read()
            self.assertTrue(lacks_fences(errors), errors)
            self.skipTest(errors)
        return process

    def launcher(self, process):
        path = f"/proc/{process.pid}/task/{process.pid}/children"
        return int(pathlib.Path(path).read_text().split()[0])

    def test_a_killed_server_takes_its_runs_along(self):
        self.manifest(SLEEPER)
        process = self.start()
        launcher = self.launcher(process)
        process.kill()
        process.wait()
        self.assertTrue(wait_until(lambda: not survivors()), survivors())
        self.assertTrue(wait_until(
            lambda: not pathlib.Path(f"/proc/{launcher}").exists()))
        self.assertEqual(cgroups() - self.before, set())

    def test_a_killed_launcher_is_our_fault_and_the_next_one_cleans_up(self):
        self.manifest(SLEEPER)
        process = self.start()
        os.kill(self.launcher(process), signal.SIGKILL)
        self.assertEqual(process.wait(timeout=30), 0)
        self.assertTrue(wait_until(lambda: not survivors()), survivors())
        rows = [json.loads(line) for line in
                (self.folder / "out.jsonl").read_text().splitlines()]
        self.assertEqual({row["verdict"] for row in rows}, {"IE"})
        self.manifest("print(7)", rows=1)
        subprocess.run(
            [REWARDS, "exec", "--input", self.folder / "m.jsonl", "--output",
             self.folder / "out.jsonl"], check=True)
        self.assertEqual(cgroups() - self.before, set())


if __name__ == "__main__":
    unittest.main()
