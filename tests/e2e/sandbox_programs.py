"""Judges every program of a manifest with `cohort exec` and checks what each
must not do.

    sandbox_programs.py [MANIFEST]      (tests/programs/manifest.jsonl)

Rows are those of `cohort exec`, with "expected_verdict" ("AC|RE": any of
these). The harness plants what a program could find: a secret in the service's
environment, a listener on 127.0.0.1:50051 and one on the abstract socket
@rs_abstract_probe. Afterwards no marker file may lie on the machine, no process
of a run may live, no cgroup may be left, and no verdict may be later than its
limit and 500 ms.
"""

import json
import os
import pathlib
import secrets
import socket
import subprocess
import sys
import tempfile
import threading

from sandbox_traces import cgroups, leftovers, rows_of, skip_if_weak, survivors

HERE = pathlib.Path(__file__).resolve().parent
REWARDS = pathlib.Path(os.environ["COHORT_BIN"]) / "cohort-rewards"
LATE_MS = 500


class Listener:
    """Counts who connects."""

    def __init__(self, family, address):
        self.connections = 0
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(address)
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            self.connections += 1
            connection.close()


def judge(manifest, secret):
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder) / "out.jsonl"
        result = subprocess.run(
            [REWARDS, "exec", "--input", manifest, "--output", output],
            env=dict(os.environ, RS_SECRET_TOKEN=secret),
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        skip_if_weak(result.stderr)
        if result.returncode:
            sys.exit(f"exec failed: {result.stderr}")
        return rows_of(output)


def flaws_of(row, result, secret):
    verdict = result["verdict"]
    if verdict not in row["expected_verdict"].split("|"):
        yield (f"{verdict} ({result['reason']}), expected "
               f"{row['expected_verdict']}; printed {result['stdout'][:80]!r} "
               f"{result['stderr'][-200:]!r}")
    if "ESCAPED" in result["stdout"]:
        yield f"printed {result['stdout'][:80]!r}"
    if secret in json.dumps(result):
        yield "saw the secret"
    limit = row.get("limits", {}).get("wall_ms")
    if limit and verdict == "TLE" and result["wall_ms"] > limit + LATE_MS:
        yield f"{result['wall_ms']:.0f} ms against a limit of {limit}"


def main():
    manifest = pathlib.Path(
        sys.argv[1] if len(sys.argv) > 1
        else HERE.parent / "programs/manifest.jsonl")
    secret = secrets.token_hex(16)
    listeners = [Listener(socket.AF_UNIX, "\0rs_abstract_probe")]
    try:
        listeners.append(Listener(socket.AF_INET, ("127.0.0.1", 50051)))
    except OSError:
        print("port 50051 is taken; its owner is the listener")
    before = cgroups()
    rows = rows_of(manifest)
    results = judge(manifest, secret)
    bad = 0
    for row, result in zip(rows, results, strict=True):
        for flaw in flaws_of(row, result, secret):
            bad += 1
            print(f"{row['file']}: {flaw}")
    general = (leftovers() + survivors() + sorted(cgroups() - before)
               + [f"{each.connections} connections" for each in listeners
                  if each.connections])
    for flaw in general:
        bad += 1
        print(f"left behind: {flaw}")
    print(f"{len(rows)} programs, {bad} flaws")
    return bad > 0


sys.exit(main())
