"""`cohort exec` and bad input: one result for each row, one clear reason."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest

from sandbox_traces import lacks_fences

REWARDS = pathlib.Path(os.environ["COHORT_BIN"]) / "cohort-rewards"


class ExecVerbTest(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name)
        (self.folder / "seven.py").write_text("print(7)\n")

    def exec(self, *rows, options=(), **more):
        lines = [row if isinstance(row, str) else json.dumps(row)
                 for row in rows]
        (self.folder / "m.jsonl").write_text("\n".join(lines) + "\n")
        result = subprocess.run(
            [REWARDS, "exec", "--input", self.folder / "m.jsonl", "--output",
             "-", *options], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, **more)
        if lacks_fences(result.stderr) and not options:
            self.skipTest(result.stderr)
        return result

    def rows(self, *rows, **more):
        result = self.exec(*rows, **more)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()]

    @staticmethod
    def row(**fields):
        return dict({"file": "seven.py", "language": "python",
                     "expected_stdout": "7\n"}, **fields)

    def test_bad_rows_are_ie_with_a_reason_and_the_rest_is_judged(self):
        os.symlink("/etc/passwd", self.folder / "link.py")
        cases = [
            (self.row(), "AC", ""),
            (self.row(language="cobol"), "IE", "no language 'cobol'"),
            (self.row(file="../seven.py"), "IE", "outside"),
            (self.row(file="/etc/passwd"), "IE", "outside"),
            (self.row(file="link.py"), "IE", "outside"),
            (self.row(file="none.py"), "IE", "cannot open none.py"),
            (self.row(file="."), "IE", "no file"),
            (self.row(limits={"cpu_ms": 0}), "IE", "cpu"),
            (self.row(limits={"memory_mb": 10**8}), "IE", "memory"),
            ({"file": "seven.py", "language": "python"}, "IE",
             "expected_stdout"),
            (self.row(checker="guess"), "IE", "guess"),
            (self.row(runs=0), "IE", "runs"),
            ([], "IE", "object"),
            (self.row(compile_flags="; reboot", language="cpp"), "IE", "flag"),
            (self.row(expected_stdout="8\n"), "WA", "line 1"),
        ]
        for (row, verdict, reason), result in zip(
                cases, self.rows(*(case[0] for case in cases)), strict=True):
            self.assertEqual(result["verdict"], verdict, (row, result))
            self.assertIn(reason, result["reason"], row)

    def test_cgroups_that_cannot_be_written_make_the_sandbox_weak(self):
        if os.geteuid() != 0 or not shutil.which("unshare"):
            self.skipTest("only root mounts a hierarchy read-only")
        # In a mount namespace of its own.
        script = (
            "for m in $(awk '$3 ~ /^cgroup/ {print $2}' /proc/self/mounts); "
            'do mount -o remount,bind,ro "$m" || exit 99; done; exec "$@"')
        (self.folder / "m.jsonl").write_text(json.dumps(self.row()) + "\n")
        command = ["unshare", "-m", "sh", "-c", script, "sh", REWARDS, "exec",
                   "--input", self.folder / "m.jsonl", "--output", "-"]
        refused = subprocess.run(command, stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True)
        if refused.returncode == 99:
            self.skipTest(refused.stderr)
        self.assertEqual(refused.returncode, 1, refused.stderr)
        self.assertIn("cgroups", refused.stderr)
        weak = subprocess.run([*command, "--allow-weak"], capture_output=True,
                              stdin=subprocess.DEVNULL, text=True)
        self.assertEqual(weak.returncode, 0, weak.stderr)
        result = json.loads(weak.stdout)
        self.assertEqual(result["verdict"], "AC", result)
        self.assertTrue(result["weak"])

    def test_large_and_odd_sources_are_the_programs_fault(self):
        (self.folder / "big.py").write_bytes(b"#" * (50 << 20))
        (self.folder / "nul.py").write_bytes(b"print(7)\0\n")
        big, nul = self.rows(self.row(file="big.py"), self.row(file="nul.py"))
        self.assertEqual(big["verdict"], "CE")
        self.assertEqual(nul["verdict"], "RE")

    def test_a_line_that_is_no_json_ends_it_and_is_named(self):
        result = self.exec(self.row(), "{no")
        self.assertEqual(result.returncode, 1)
        self.assertIn("m.jsonl:2", result.stderr)

    def test_long_output_is_cut_with_a_mark(self):
        (self.folder / "long.py").write_text("print('x' * 10000)")
        result, = self.rows(self.row(file="long.py"))
        self.assertEqual(result["stdout"][4096:], "...[cut]")

    def test_output_comes_in_input_order(self):
        results = self.rows(*(self.row(expected_stdout=f"{i}\n")
                              for i in range(12)))
        self.assertEqual([r["verdict"] for r in results],
                         ["AC" if i == 7 else "WA" for i in range(12)])


class ServerTest(unittest.TestCase):
    def test_a_port_that_is_taken_is_said_in_one_line(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            result = subprocess.run(
                [REWARDS, "reward-server", "--listen", f"127.0.0.1:{port}"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=60)
        self.assertEqual(result.returncode, 1)
        self.assertIn(str(port), result.stderr.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
