"""Cohort's maths grader beside Math-Verify on the same rows, on one core.

  scripts/bench/grade_speed.py [--binary PATH] [--times N] FOLDER...

Takes the rows of the policy "core" outside the class "adversarial" (see
grade_rows.py), and prints the time per row of both and the ratio of their
rates. Both are timed by CPU time, each in one process on one core."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from grade_rows import BINARY, read_rows  # noqa: E402


def speed_rows(folders):
    return [row for row in read_rows(folders, None)
            if row.get("policy", "core") == "core" and "prediction" in row
            and row["class"] != "adversarial"]


def summary(milliseconds):
    ordered = sorted(milliseconds)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return {"median_us": 1e3 * statistics.median(ordered), "p99_ms": p99,
            "max_ms": ordered[-1], "per_s": 1e3 * len(ordered) / sum(ordered)}


def cohort_times(binary, rows, times):
    """CPU milliseconds per row, the median of several runs."""
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "in.jsonl"
        target = pathlib.Path(folder) / "out.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        runs = []
        for _ in range(times):
            subprocess.run([binary, "grade", "--input", source, "--output", target,
                            "--workers", "1"], check=True)
            runs.append([json.loads(line)["cpu_ms"] for line in target.open()])
        return [statistics.median(values) for values in zip(*runs, strict=True)]


def peer_times(rows):
    from math_verify import parse, verify

    spent = []
    for row in rows:
        begin = time.process_time()
        try:
            if row["form"] == "answer_pair":
                gold, answer = f"${row['gold']}$", f"${row['prediction']}$"
            else:
                gold = row["gold"] if row["form"] == "gold_text" else f"${row['gold']}$"
                answer = row["prediction"]
            verify(parse(gold), parse(answer))
        except Exception:  # A row that the peer cannot judge has taken its time.
            pass
        spent.append(1e3 * (time.process_time() - begin))
    return spent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--binary", default=BINARY)
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = speed_rows(arguments.folders)
    ours = summary(cohort_times(arguments.binary, rows, arguments.times))
    theirs = summary(peer_times(rows))
    for name, measured in (("cohort", ours), ("math-verify", theirs)):
        print(f"{name:12} {len(rows)} rows  median {measured['median_us']:.1f} us  "
              f"p99 {measured['p99_ms']:.3f} ms  max {measured['max_ms']:.2f} ms  "
              f"{measured['per_s']:.0f} grades/s")
    print(f"ratio of the rates: {ours['per_s'] / theirs['per_s']:.0f}")


if __name__ == "__main__":
    main()
