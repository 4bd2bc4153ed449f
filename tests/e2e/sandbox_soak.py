"""Many mixed runs, attacks among them, through one sandbox: nothing may grow and
nothing may be left.

    sandbox_soak.py [RUNS] [CLIENTS]      (600 16)

Every program of tests/programs once, and the quick ones again and again, in a
fixed shuffled order.
"""

import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

from sandbox_traces import cgroups, leftovers, rows_of, skip_if_weak, survivors

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = HERE.parent / "programs"
REWARDS = pathlib.Path(os.environ["COHORT_BIN"]) / "cohort-rewards"
# Classes whose programs run into limits of seconds, or compile.
SLOW = {"compile", "memory", "output", "processes", "time"}


def mixed_rows(runs):
    rows = rows_of(PROGRAMS / "manifest.jsonl")
    quick = [row for row in rows if row["class"] not in SLOW
             and row["language"] == "python" and "TLE" not in
             row["expected_verdict"] and "pair" not in row]
    rows = [row for row in rows if "pair" not in row]
    # Sixteen at a time on few cores: the wall limits are for one.
    for row in rows:
        row["limits"]["wall_ms"] *= 4
    draw = random.Random(0)
    rows += [draw.choice(quick) for _ in range(runs - len(rows))]
    draw.shuffle(rows)
    return rows


def launcher_of(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return int(children.split()[0])


def state(pid):
    """Resident MB and open descriptors of a process."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    resident = int(status.split("VmRSS:")[1].split()[0]) / 1024
    return resident, len(os.listdir(f"/proc/{pid}/fd"))


def left_after(cgroups_before, patience_s=10):
    """What is still there when killed processes have had time to end."""
    end = time.monotonic() + patience_s
    while True:
        left = leftovers() + survivors() + sorted(cgroups() - cgroups_before)
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.1)


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    clients = int(sys.argv[2]) if len(sys.argv) > 2 else 16
    before = cgroups(), len(open("/proc/self/mountinfo").readlines())
    rows = mixed_rows(runs)
    samples = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        manifest = folder / "manifest.jsonl"
        manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
        for file in PROGRAMS.iterdir():
            (folder / file.name).write_bytes(file.read_bytes()) if (
                file.name != "manifest.jsonl") else None
        begin = time.time()
        process = subprocess.Popen(
            [REWARDS, "exec", "--input", manifest, "--output",
             folder / "out.jsonl", "--workers", str(clients)],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while process.poll() is None:
            time.sleep(0.5)
            try:
                server = process.pid
                samples.append((state(server), state(launcher_of(server))))
            except (OSError, IndexError):
                pass
        errors = process.stderr.read()
        skip_if_weak(errors)
        if process.returncode:
            sys.exit(f"exec failed: {errors}")
        seconds = time.time() - begin
        results = rows_of(folder / "out.jsonl")
    flaws = [
        f"{row['file']}: {result['verdict']} ({result['reason']}), expected "
        f"{row['expected_verdict']}"
        for row, result in zip(rows, results, strict=True)
        if result["verdict"] not in row["expected_verdict"].split("|")
    ]
    # The second half against the first, at their middles: single programs take
    # much for a moment, and caches are warm by then.
    half = len(samples) // 2
    for name, part in (("server", 0), ("launcher", 1)):
        for what, index, slack in (("MB", 0, 40), ("descriptors", 1, 200)):
            early = statistics.median(s[part][index] for s in samples[:half] or samples)
            late = statistics.median(s[part][index] for s in samples[half:])
            if late > early + slack:
                flaws.append(f"{name}: {early:.0f} {what}, later {late:.0f}")
    flaws += [f"left behind: {what}" for what in left_after(before[0])]
    mounts = len(open("/proc/self/mountinfo").readlines())
    if mounts != before[1]:
        flaws.append(f"{mounts} mounts, {before[1]} before")
    print("\n".join(flaws[:20]))
    last = samples[-1] if samples else None
    print(f"{len(rows)} runs from {clients} clients in {seconds:.0f} s, "
          f"{len(flaws)} flaws; (MB, descriptors) of server, launcher: {last}")
    return bool(flaws)


sys.exit(main())
