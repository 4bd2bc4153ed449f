"""Holds a finished run of configs/chain_small.yaml against what it must reach.

    scripts/check_run.py RUN_DIR

Reads only what a user has: summary.json, metrics.jsonl and the store's view.
"""

import json
import pathlib
import sqlite3
import sys


def main():
    run = pathlib.Path(sys.argv[1])
    summary = json.loads((run / "summary.json").read_text())
    steps = [json.loads(line) for line in open(run / "metrics.jsonl")]
    before, after = summary["accuracy_before"], summary["accuracy_after"]
    rewards = [step["train/reward_mean"] for step in steps]
    first, last = sum(rewards[:3]) / 3, sum(rewards[-3:]) / 3
    with sqlite3.connect(run / "experience.sqlite") as store:
        states = dict(
            store.execute(
                "SELECT state, count(*) FROM groups_view "
                "WHERE stage NOT LIKE '%eval%' GROUP BY state"
            )
        )
    largest = max(step["mismatch/max_abs_logprob_diff"] for step in steps)
    checks = [
        ("base greedy accuracy", before["greedy"], "<=", 0.30),
        ("greedy accuracy after", after["greedy"], ">=", 0.85),
        ("reward at T=1, last 3 steps / first 3", last / first, ">=", 1.5),
        ("largest |sampler - learner| log-probability", largest, "<=", 5e-5),
        ("groups not trained", sum(states.values()) - states.get("trained", 0),
         "<=", 0),
        ("CPU seconds of all processes", summary["cpu_s"], "<=", 60),
    ]
    failed = 0
    for name, value, relation, bound in checks:
        good = value <= bound if relation == "<=" else value >= bound
        failed += not good
        print(f"{'ok    ' if good else 'FAILED'} {name}: {value:.4g} {relation} {bound}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
