"""Scores `cohort grade` on folders of rows with known verdicts.

  scripts/bench/grade_rows.py [--binary PATH] [--half even|odd] [--show N] FOLDER...

A row is {"gold", "prediction", "form", "expected", "class", "policy", ...} as
`cohort grade` takes it, or {"verifier", "completion", "expected", "class"} with
what that verifier needs: "answer", "tolerance", "relative_tolerance", "choices",
"pattern", ... Prints right, wrongly accepted and wrongly refused rows
per class and per policy; --show lists the first N rows that came out wrong.
Exits 1 if a class or policy misses its bar."""

import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / "build/release/bin/cohort-rewards"


def read_rows(folders, half):
    rows = []
    for folder in folders:
        for path in sorted(pathlib.Path(folder).glob("*.jsonl")):
            for number, line in enumerate(path.open(encoding="utf-8")):
                if half and number % 2 != (half == "odd"):
                    continue
                rows.append(json.loads(line) | {"id": f"{path.name}:{number + 1}"})
    return rows


def grade(binary, rows):
    """The grades of all rows, in order."""
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "in.jsonl"
        target = pathlib.Path(folder) / "out.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        subprocess.run(
            [binary, "grade", "--input", source, "--output", target,
             "--workers", "1"], check=True)
        return [json.loads(line) for line in target.open(encoding="utf-8")]


class Tally:
    def __init__(self):
        self.rows = self.accepted = self.refused = 0

    def add(self, expected, given):
        self.rows += 1
        self.accepted += given and not expected
        self.refused += expected and not given

    def right(self):
        return self.rows - self.accepted - self.refused

    def line(self, name):
        share = 100 * self.right() / max(self.rows, 1)
        return (f"{name:28} {self.rows:5} rows  {share:6.2f} % right  "
                f"{self.accepted} wrongly accepted  {self.refused} wrongly refused")


def meets_bar(tally):
    """A class of 20 rows or more 97 %, a smaller one at most one miss."""
    misses = tally.rows - tally.right()
    if tally.rows >= 20:
        return tally.right() >= 0.97 * tally.rows
    return misses <= 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--binary", default=BINARY)
    parser.add_argument("--half", choices=["even", "odd"])
    parser.add_argument("--show", type=int, default=0)
    arguments = parser.parse_args()
    rows = read_rows(arguments.folders, arguments.half)
    grades = grade(arguments.binary, rows)
    classes = collections.defaultdict(Tally)
    policies = collections.defaultdict(Tally)
    core, failures, slow, undecided = Tally(), [], [], 0
    for row, result in zip(rows, grades, strict=True):
        given = result["verdict"] == "correct"
        limit = row.get("max_ms", 100)
        if result["cpu_ms"] > min(limit, 100):
            slow.append((row["id"], result["cpu_ms"]))
        if row.get("verdict_optional"):
            continue
        undecided += result["verdict"] == "undecided"
        policy = row.get("policy", "core")
        groups = [core, classes[row["class"]]] if policy == "core" else [policies[policy]]
        for tally in groups:
            tally.add(row["expected"], given)
        if given != row["expected"]:
            failures.append((row, result))
    bad = []
    for kind, table in (("class", classes), ("policy", policies)):
        for name, tally in sorted(table.items()):
            ok = tally.accepted == 0 and (
                name == "needs-problem" or meets_bar(tally))
            bad += [] if ok else [name]
            print(f"{'ok ' if ok else 'BAD'} {kind} {tally.line(name)}")
    print(core.line("core"))
    named = Tally()
    for name, tally in policies.items():
        if name != "needs-problem":
            named.rows += tally.rows
            named.accepted += tally.accepted
            named.refused += tally.refused
    print(named.line("named policies"))
    print(f"undecided {undecided}; over 100 ms of CPU: {slow}")
    for row, result in failures[:arguments.show]:
        prediction = str(row.get("prediction", row.get(
            "prediction_parts", row.get("completion", "bytes"))))
        print(json.dumps({
            "id": row["id"], "policy": row.get("policy"), "form": row.get("form"),
            "expected": row["expected"], "gold": str(row.get("gold", row.get("answer")))[-200:],
            "prediction": prediction[-300:], "verdict": result["verdict"],
            "extracted": result["extracted"][-200:], "reason": result["reason"]},
            ensure_ascii=False))
    sys.exit(bool(bad or slow) or core.right() < 0.993 * core.rows)


if __name__ == "__main__":
    main()
