"""The reward server as a process: its credentials, callers that vanish, kills in
the middle of load, and a verifier of the user's own."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ["COHORT_BIN"])
sys.path.insert(0, str(ROOT / "scripts"))
try:
    import grpc
    from external_verifier import GradeRequest, GradeResponse
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children_of(pid):
    found = []  # Each thread has its own.
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in path.read_text().split()]
        except OSError:
            pass
    return found


def workers_of(pid):
    found = []
    for child in children_of(pid):
        try:
            line = pathlib.Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if b"grade-worker" in line:
            found.append(child)
    return found


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def maths(answer, *completions):
    request = GradeRequest()
    request.prompt.id = "p"
    request.prompt.verifier = "math"
    request.prompt.answer = answer
    request.completions.extend(completions)
    return request


class Case(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def start(self, *command):
        """The process and what follows "listening on "."""
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        line = process.stdout.readline()
        self.assertTrue(line.startswith("listening on "), line)
        return process, line.split()[-1]

    def serve(self, *flags):
        return self.start(BIN / "cohort-rewards", "reward-server", "--workers",
                          "2", *flags)

    def grade(self, channel, request, metadata=(), timeout=20):
        call = channel.unary_unary(
            "/cohort.Rewards/Grade",
            request_serializer=GradeRequest.SerializeToString,
            response_deserializer=GradeResponse.FromString)
        return call(request, timeout=timeout, metadata=metadata,
                    wait_for_ready=True)

    def verdicts(self, *arguments, **options):
        return [g.verdict for g in self.grade(*arguments, **options).grades]


class CredentialsTest(Case):
    def run_openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True,
                       cwd=self.folder, capture_output=True)

    def authority(self, name):
        self.run_openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj",
            f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")

    def certificate(self, name, authority):
        self.run_openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
            f"{name}.csr")
        (self.folder / "names").write_text(
            "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.run_openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem",
            "-CAkey", f"{authority}.key", "-CAcreateserial", "-days", "1",
            "-extfile", "names", "-out", f"{name}.pem")

    def channel(self, address, name, authority):
        read = lambda file: (self.folder / file).read_bytes()
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(
            read(f"{authority}.pem"), read(f"{name}.key") if name else None,
            read(f"{name}.pem") if name else None))
        self.addCleanup(channel.close)
        return channel

    def test_both_sides_show_a_certificate(self):
        self.authority("ours")
        self.authority("theirs")
        self.certificate("server", "ours")
        self.certificate("worker", "ours")
        self.certificate("stranger", "theirs")
        _, address = self.serve(
            "--tls-certificate", self.folder / "server.pem", "--tls-key",
            self.folder / "server.key", "--tls-authority",
            self.folder / "ours.pem")
        request = maths("4", b"\\boxed{4}", b"\\boxed{5}")
        self.assertEqual(
            self.verdicts(self.channel(address, "worker", "ours"), request),
            [1, 2])
        plain = grpc.insecure_channel(address)
        self.addCleanup(plain.close)
        for channel in (self.channel(address, "stranger", "ours"),
                        self.channel(address, "", "ours"),
                        self.channel(address, "worker", "theirs"), plain):
            with self.assertRaises(grpc.RpcError) as refused:
                self.grade(channel, request, timeout=2)
            self.assertIn(refused.exception.code(),
                          (grpc.StatusCode.UNAVAILABLE,
                           grpc.StatusCode.DEADLINE_EXCEEDED))

    def test_a_wrong_token_is_refused(self):
        (self.folder / "token").write_text("correct-horse-battery\n")
        _, address = self.serve("--token-file", self.folder / "token")
        channel = grpc.insecure_channel(address)
        self.addCleanup(channel.close)
        request = maths("4", b"\\boxed{4}")
        right = (("authorization", "Bearer correct-horse-battery"),)
        self.assertEqual(self.verdicts(channel, request, metadata=right), [1])
        for wrong in ((), (("authorization", "Bearer correct-horse-batterx"),),
                      (("authorization", "correct-horse-battery"),)):
            with self.assertRaises(grpc.RpcError) as refused:
                self.grade(channel, request, metadata=wrong)
            self.assertEqual(refused.exception.code(),
                             grpc.StatusCode.UNAUTHENTICATED)


class InputTest(Case):
    def setUp(self):
        super().setUp()
        self.server, self.address = self.serve()
        self.channel = grpc.insecure_channel(self.address, options=[
            ("grpc.max_send_message_length", 1 << 28)])
        self.addCleanup(self.channel.close)

    def test_any_bytes_and_ten_megabytes(self):
        request = maths(
            "42", b"a" * (10 << 20) + b"\\boxed{42}", b"\\boxed{4\x002}",
            b"\\boxed{4\xff2}", "\\boxed{\u202e24}".encode(),
            "\\boxed{\uff14\uff12}".encode(), b"\\boxed{42" + b" " * (10 << 20),
            b"\\boxed{42}")
        self.assertEqual(self.verdicts(self.channel, request),
                         [1, 2, 2, 2, 2, 3, 1])

    def peak_mb(self):
        """Of the worker that has needed most memory."""
        peaks = [0]
        for worker in workers_of(self.server.pid):
            for line in pathlib.Path(
                    f"/proc/{worker}/status").read_text().split("\n"):
                if line.startswith("VmHWM:"):
                    peaks.append(int(line.split()[1]) / 1024)
        return max(peaks)

    def test_no_megabyte_takes_100_ms_or_64_mb(self):
        self.verdicts(self.channel, maths("1", b"\\boxed{1}"))
        start = self.peak_mb()
        pieces = [b"{", b"}", b"7", b"^", b"_", b"\\boxed{", b"\\boxed{7}", b"$x$",
                  b"\\frac", b"(", b"1,", b"x+", b"\\sqrt{", b"answer is ", b"#",
                  b"\\text{", b" and ", b"\xff", b"<answer>", b"</think>"]
        for piece in pieces:
            text = piece * (1000000 // len(piece))
            request = maths(
                "42", text, b"\\boxed{" + text + b"}", b"answer: " + text,
                b"\\boxed{" + text[:16000] + b"}")
            for grade in self.grade(self.channel, request).grades:
                self.assertLess(grade.cpu_ms, 100, piece)
            self.assertLess(self.peak_mb() - start, 64, piece)

    def test_a_deadline_that_has_passed_gives_no_grades(self):
        with self.assertRaises(grpc.RpcError) as late:
            self.grade(self.channel, maths("4", b"\\boxed{4}"), timeout=0)
        self.assertEqual(late.exception.code(),
                         grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_a_caller_that_vanishes_leaves_the_others_alone(self):
        tangle = b"\\boxed{(\\sqrt[16]{3}+\\sqrt[16]{5}+1)^{64}}"
        script = (
            "import sys; sys.path[:0] = sys.argv[2:]\n"
            "import reward_server_test as t, grpc\n"
            "request = t.maths('\\\\sqrt{2}', *[sys.stdin.buffer.read()] * 20000)\n"
            "t.grpc.insecure_channel(sys.argv[1]).unary_unary(\n"
            "    '/cohort.Rewards/Grade',\n"
            "    request_serializer=t.GradeRequest.SerializeToString)(request)\n")
        callers = [subprocess.Popen(
            [sys.executable, "-c", script, self.address,
             pathlib.Path(__file__).parent], stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL) for _ in range(2)]
        for caller in callers:
            caller.stdin.write(tangle)
            caller.stdin.close()

        def cpu_ticks():
            total = 0
            for worker in workers_of(self.server.pid):
                fields = pathlib.Path(f"/proc/{worker}/stat").read_text()
                total += int(fields.rsplit(")", 1)[1].split()[11])
            return total

        self.assertTrue(wait_until(
            lambda: len(workers_of(self.server.pid)) == 2 and cpu_ticks() > 20))
        for caller in callers:
            caller.kill()
            caller.wait()
        # Both workers had minutes of work left.
        self.assertEqual(
            self.verdicts(self.channel, maths("4", b"\\boxed{4}"), timeout=10),
            [1])


class KillTest(Case):
    """service_bench knows what every grade must be, and counts."""

    def load(self, address, seconds):
        return subprocess.Popen(
            [BIN / "service_bench", "--address", address, "--clients", "8",
             "--seconds", str(seconds), "--deadline-ms", "5000"],
            stdout=subprocess.PIPE, text=True)

    def assert_whole(self, load):
        out, _ = load.communicate(timeout=120)
        result = json.loads(out)
        self.assertEqual(load.returncode, 0, result)
        for key in ("lost", "doubled", "wrong", "failed"):
            self.assertEqual(result[key], 0, result)
        self.assertGreater(result["grades"], 1000)
        return result

    def test_killed_workers_lose_no_grade(self):
        server, address = self.serve()
        load = self.load(address, 4)
        killed = 0
        while load.poll() is None:
            for worker in workers_of(server.pid)[:1]:
                try:
                    os.kill(worker, signal.SIGKILL)
                    killed += 1
                except ProcessLookupError:
                    pass
            time.sleep(0.3)
        self.assert_whole(load)
        self.assertGreater(killed, 3)

    def test_grade_over_a_file_survives_killed_workers(self):
        rows = 40000
        with open(self.folder / "in.jsonl", "w") as file:
            for i in range(rows):
                file.write(json.dumps(
                    {"id": i, "verifier": "math", "answer": f"{i}/7",
                     "completion": f"\\boxed{{\\frac{{{i + i % 2}}}{{7}}}}"}) + "\n")
        grade = subprocess.Popen(
            [BIN / "cohort-rewards", "grade", "--workers", "2", "--input",
             self.folder / "in.jsonl", "--output", self.folder / "out.jsonl"],
            stderr=subprocess.DEVNULL)
        killed, seen = 0, set()
        while grade.poll() is None:
            workers = workers_of(grade.pid)
            seen.update(workers)
            for worker in workers[:1]:
                try:
                    os.kill(worker, signal.SIGKILL)
                    killed += 1
                except ProcessLookupError:
                    pass
            time.sleep(0.4)  # A fresh one has begun to grade by then.
        self.assertEqual(grade.returncode, 0)
        self.assertGreater(killed, 1)
        with open(self.folder / "out.jsonl") as file:
            grades = [json.loads(line) for line in file]
        self.assertEqual([g["id"] for g in grades], list(range(rows)))
        for g in grades:
            self.assertEqual(
                g["verdict"], "wrong" if g["id"] % 2 else "correct", g)
        self.assertFalse([w for w in seen
                          if pathlib.Path(f"/proc/{w}").exists()])

    def test_a_killed_server_that_comes_back_loses_no_grade(self):
        listen = f"127.0.0.1:{free_port()}"
        server, address = self.serve("--listen", listen)
        load = self.load(address, 5)
        for _ in range(2):
            time.sleep(1)
            workers = workers_of(server.pid)
            server.kill()
            server.wait()
            # Its workers end with it.
            self.assertTrue(wait_until(lambda: not any(
                pathlib.Path(f"/proc/{w}").exists() for w in workers)))
            server, _ = self.serve("--listen", listen)
        result = self.assert_whole(load)
        self.assertGreater(result["retries"], 0)


class ExternalVerifierTest(Case):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        (self.folder / "c.yaml").write_text(
            f"rewards: {{external: '127.0.0.1:{self.port}'}}\n"
            "stages: [{kind: sft, steps: 1}]\n")
        _, address = self.serve("--config", self.folder / "c.yaml")
        self.channel = grpc.insecure_channel(address)
        self.addCleanup(self.channel.close)
        self.request = maths("7", b"so 7", b"so 8", b"x" * 50 + b"7")
        self.request.prompt.verifier = "external"
        self.request.prompt.row_json = json.dumps({"budget": 20})

    def start_verifier(self):
        return self.start(sys.executable, ROOT / "scripts/external_verifier.py",
                          f"127.0.0.1:{self.port}")[0]

    def test_the_example_grades_and_its_absence_is_an_infra_error(self):
        verifier = self.start_verifier()
        self.assertEqual(self.verdicts(self.channel, self.request), [1, 2, 2])
        verifier.kill()
        verifier.wait()
        grades = self.grade(self.channel, self.request, timeout=3).grades
        self.assertEqual([g.verdict for g in grades], [11, 11, 11])
        self.assertEqual([g.score for g in grades], [0, 0, 0])
        self.assertIn(b"external verifier: ", grades[0].reason)

    def test_a_call_waits_for_a_verifier_that_comes_back(self):
        call = self.channel.unary_unary(
            "/cohort.Rewards/Grade",
            request_serializer=GradeRequest.SerializeToString,
            response_deserializer=GradeResponse.FromString)
        future = call.future(self.request, timeout=30, wait_for_ready=True)
        time.sleep(0.5)
        self.start_verifier()
        self.assertEqual([g.verdict for g in future.result().grades], [1, 2, 2])

    def test_what_it_raises_is_an_infra_error(self):
        self.start_verifier()
        self.request.prompt.row_json = "[not json"
        self.assertEqual(self.verdicts(self.channel, self.request),
                         [11, 11, 11])


if __name__ == "__main__":
    unittest.main()
