"""Cohort beside its peers, interleaved in one run on one machine.

    scripts/dev bench [--repeats 3] [--models FOLDER]
              [--only speed|tiny|grpo|start|load|grade|tokenize|sandbox|
               service|export]

One thread each, CPU-seconds, float32, one checkpoint for both. Peers run from
.venv (scripts/setup.sh --bench), and where speed.py says. Prints a table with the
bar beside each ratio. Checkpoints are kept in FOLDER where one is given.
"""

import argparse
import json
import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from engines import BIN, HERE, PYTHON, ROOT, Ours, Transformers, Work
from speed import Model, bench_speed
from timing import THREADS, cpu_seconds, process_tree, pss_mb

# Set in a config, so that the learner and its workers use one thread each.
CONFIG = """
run: {{dir: {run}, local_workers: 1, checkpoint_every: 1000}}
model: {{checkpoint: {model}}}
rollout: {{group_size: 8, max_completion_tokens: 64, threads: 1}}
learner:
  prompts: {{file: {prompts}, verifier: math}}
  prompts_per_step: 8
  learning_rate: 1.0e-5
  kl_weight: 0
  microbatch_tokens: 2048
  threads: 1
rewards: {{format_weight: 0, accuracy_weight: 1}}
stages:
  - {{kind: rl, steps: {steps}}}
"""


def last_json(command, **options):
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True,
        env=dict(os.environ, BENCH_THREADS=str(THREADS)), **options)
    if result.returncode:
        sys.exit(f"{command[0]} failed:\n{result.stderr[-3000:]}")
    return json.loads(result.stdout.strip().split("\n")[-1])


def write_prompts(path):
    draw = random.Random(0)
    with open(path, "w") as file:
        for i in range(256):
            text = "".join(draw.choice("abcdefgh+-*/=") for _ in range(32))
            file.write(json.dumps(
                {"id": f"p{i}", "prompt": text, "answer": "1"}) + "\n")


def our_grpo(folder, model, steps):
    """A whole local run: learner, worker and reward server."""
    run = folder / f"run{time.monotonic_ns()}"
    write_prompts(folder / "prompts.jsonl")
    (folder / "bench.yaml").write_text(CONFIG.format(
        run=run, model=model, prompts=folder / "prompts.jsonl", steps=steps + 1))
    metrics, largest = run / "metrics.jsonl", 0.0
    start = time.time()
    process = subprocess.Popen(
        [BIN / "cohort-learner", "train", folder / "bench.yaml"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)
    # Looking on takes CPU time from those who are looked at.
    while process.poll() is None:
        if metrics.exists() and metrics.stat().st_size:
            break
        time.sleep(0.005)
    first = time.time() - start
    first_cpu = cpu_seconds(process_tree(process.pid))
    while process.poll() is None:
        largest = max(largest, pss_mb(process_tree(process.pid)))
        time.sleep(0.1)
    if process.returncode:
        sys.exit(f"cohort-learner failed:\n{process.stderr.read()[-3000:]}")
    rows = [json.loads(line) for line in metrics.open()]
    idle = statistics.mean(r["train/groups_without_spread"] for r in rows)
    if idle > 1:
        sys.exit(f"{idle} of 8 groups taught nothing: no fair comparison")
    cpu = [row["cpu_s"] for row in rows]
    return {
        "step_cpu_s": statistics.median(
            [b - a for a, b in zip(cpu, cpu[1:])] or cpu),
        "first_step_wall_s": first,
        "first_step_cpu_s": first_cpu,
        "pss_mb": largest,
    }


def row(name, ours, peer, ratio, bar, higher_is_better):
    good = ratio >= bar if higher_is_better else ratio <= bar
    relation = ">=" if higher_is_better else "<="
    print(f"{'ok    ' if good else 'BELOW '} {name:44} ours {ours:10.4g}"
          f"  peer {peer:10.4g}  ratio {ratio:6.2f} {relation} {bar}")


def bench_tiny(folder, repeats):
    for model in (Model(folder, "tiny"), Model(folder, "odd"),
                  Model(folder, "tiny", skew=True)):
        ours, peers = [], []
        for _ in range(repeats):
            ours.append(Ours(model.path).decode_rate(Work(), rounds=16))
            peers.append(Transformers(model.path).rates(Work())[0])
        ratio = statistics.median(a / b for a, b in zip(ours, peers))
        row(f"decode at 64 sequences, {model.name}, tokens/CPU-s",
            statistics.median(ours), statistics.median(peers), ratio, 4.0, True)


def rows_of_pairs(name, ours, peers, bar, higher_is_better):
    """The median of the ratios of each repeat, and their ends. A higher one is
    better where it is peer / ours."""
    ratios = sorted((b / a if higher_is_better else a / b)
                    for a, b in zip(ours, peers))
    row(name, statistics.median(ours), statistics.median(peers),
        statistics.median(ratios), bar, higher_is_better)
    print(f"       ratios {ratios[0]:.3f} to {ratios[-1]:.3f}, median "
          f"{statistics.median(ratios):.3f}, of {len(ratios)}", flush=True)


def bench_grpo(folder, repeats, steps=4):
    """`steps` after the first; 0 measures the start alone."""
    model = Model(folder, "tiny").path
    ours, peers = [], []
    for _ in range(repeats):
        ours.append(our_grpo(folder, model, steps))
        peers.append(last_json([PYTHON, HERE / "peer_grpo.py", model,
                                "--steps", steps]))
        print("       start: ours {:.2f} s wall, {:.2f} s CPU; peer {:.2f} s "
              "wall, {:.2f} s CPU; load {:.1f}".format(
                  ours[-1]["first_step_wall_s"], ours[-1]["first_step_cpu_s"],
                  peers[-1]["first_step_wall_s"],
                  peers[-1]["first_step_cpu_s"], os.getloadavg()[0]),
              flush=True)
    for name, key, bound, higher_is_better in (
        ("full GRPO step, CPU-s (peer / ours)", "step_cpu_s", 2.5, True),
        ("start to first step, wall s (ours / peer)", "first_step_wall_s",
         0.167, False),
        ("start to first step, CPU-s (ours / peer)", "first_step_cpu_s", 0.2,
         False),
        ("memory, PSS of all processes, MB (ours / peer)", "pss_mb", 0.35,
         False),
    ):
        if steps or key.startswith("first_step"):
            rows_of_pairs(name, [r[key] for r in ours], [r[key] for r in peers],
                          bound, higher_is_better)


def bench_start(folder, repeats):
    bench_grpo(folder, repeats, steps=0)


def bar(name, value, bound, higher_is_better, note):
    good = value >= bound if higher_is_better else value <= bound
    relation = ">=" if higher_is_better else "<="
    print(f"{'ok    ' if good else 'BELOW '} {name:44} {value:10.4g}"
          f" {relation} {bound}  ({note})")


def bench_load(folder, repeats):
    """A sharded checkpoint of 2 GB, in the page cache, with two threads: wall
    time, so a busy machine shows."""
    for stored in ("bfloat16", "float32", "float8"):
        model = folder / f"big_{stored}"
        subprocess.run([PYTHON, HERE / "make_big.py", model, "--dtype", stored],
                       check=True, capture_output=True)
        runs = [last_json([ROOT / "build/release/model/load_bench", model])
                for _ in range(repeats + 1)][1:]
        middle = lambda key: statistics.median(r[key] for r in runs)
        memory = middle("weight_bytes") / middle("file_bytes")
        bar(f"load {stored} as float32, GB of files/s",
            middle("gb_per_s"), 1.5, True,
            f"{middle('gb_per_cpu_s'):.2f} GB/CPU-s, a byte of files is "
            f"{memory:.2f} in memory")
        bar(f"load {stored}, peak RSS / weights", middle("peak_ratio"), 1.15,
            False, f"{middle('peak_ratio_above_start'):.3f} above start")
        shutil.rmtree(model)


def bench_grade(_, repeats):
    """Final answers in mathematics; Math-Verify judges the same rows."""
    from grade_speed import cohort_times, peer_times, speed_rows, summary

    rows = speed_rows([ROOT / "tests/data/grading"])
    ours = summary(cohort_times(BIN / "cohort-rewards", rows, repeats))
    peers = summary(peer_times(rows))
    bar("grade, median us of CPU", ours["median_us"], 50, False,
        f"Math-Verify {peers['median_us']:.0f}")
    bar("grade, p99 ms of CPU", ours["p99_ms"], 5, False,
        f"Math-Verify {peers['p99_ms']:.1f}")
    bar("grades/s on one core", ours["per_s"], 10000, True,
        f"Math-Verify {peers['per_s']:.0f}")
    bar("grades/s, ours / Math-Verify", ours["per_s"] / peers["per_s"], 100,
        True, f"{len(rows)} rows")


def bench_tokenize(folder, repeats):
    """Encoding beside the tokenizers library; see tokenize_speed.py."""
    from tokenize_speed import compare

    binary = ROOT / "build/release/model/tokenizer_bench"
    for vocabulary, text, ours, peer in compare(binary, ROOT, folder, repeats):
        row(f"encode {text}, {vocabulary}, MB/CPU-s", ours / 1e6, peer / 1e6,
            ours / peer, 4.0, True)


def bench_sandbox(_folder, repeats):
    """A small case in the jail beside a bare process and bubblewrap."""
    result = last_json([BIN / "sandbox_bench", "--repeats", str(60 * repeats)])
    p50 = {name: value["p50_ms"] for name, value in result.items()}
    bar("Python case from the zygote, p50 ms", p50["jail_python_zygote"], 5,
        False, "")
    bar("Python cases per CPU-second",
        result["jail_python_zygote"]["cases_per_cpu_s"], 250, True, "")
    bar("C++ run, compiled before, p50 ms", p50["jail_cpp"], 3, False, "")
    bar("jail over a bare exec, p50 ms", p50["jail_true"] - p50["bare_true"], 3,
        False, "")
    row("Python case, p50 ms (bubblewrap / ours)", p50["jail_python_zygote"],
        p50["bwrap_python"], p50["bwrap_python"] / p50["jail_python_zygote"],
        5.0, True)
    row("Python case, p50 ms (bare / ours)", p50["jail_python_zygote"],
        p50["bare_python"], p50["bare_python"] / p50["jail_python_zygote"],
        1.0, True)


def bench_service(_folder, _repeats):
    """A reward server and 64 clients on the same cores. Wall time, so a busy
    machine shows."""
    subprocess.run(["cmake", "--build", ROOT / "build/release", "--target",
                    "service_bench"], check=True, capture_output=True)
    server = subprocess.Popen(
        [BIN / "cohort-rewards", "reward-server", "--workers", "3"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = server.stdout.readline().split()[-1]
        load = lambda *flags: last_json(
            [BIN / "service_bench", "--address", address, *map(str, flags)])
        steady = load("--seconds", 60)
        bar("service, grades/s of 64 clients for 60 s", steady["grades_per_s"],
            5000, True, f"{steady['calls_per_s']:.0f} calls/s of 8")
        bar("service, p99 ms of a call of 8", steady["p99_ms"], 50, False,
            f"median {steady['p50_ms']:.1f}")
        single = load("--seconds", 10, "--group", 1)
        bar("service, calls/s of one completion", single["calls_per_s"], 5000,
            True, f"p99 {single['p99_ms']:.1f} ms")
        full = load("--seconds", 10, "--group", 64)
        rate = 4 * full["calls_per_s"]
        over = load("--seconds", 10, "--group", 64, "--calls-per-s", rate)
        bar("service at 4x overload, share of its grades/s",
            over["grades_per_s"] / full["grades_per_s"], 0.9, True,
            f"{over['grades_per_s']:.0f} grades/s, {over['refused']} of "
            f"{over['calls']} calls refused")
        bar("service at 4x overload, calls without an answer",
            over["failed"] + over["late"], 0, False, f"p99 {over['p99_ms']:.0f} ms")
    finally:
        server.terminate()
        server.wait()


def bench_export_verb(folder, repeats):
    from export_speed import bench_export
    bench_export(bar, folder, repeats)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=["speed", "tiny", "grpo", "start",
                                           "load", "grade", "tokenize",
                                           "sandbox", "service", "export"])
    parser.add_argument("--models", type=pathlib.Path)
    args = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.2f}, {THREADS} thread(s)")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        models = args.models or folder
        models.mkdir(parents=True, exist_ok=True)
        for name, bench, where in (
            ("speed", bench_speed, models), ("tiny", bench_tiny, models),
            ("grpo", bench_grpo, models), ("start", bench_start, models),
            ("load", bench_load, folder), ("grade", bench_grade, folder),
            ("tokenize", bench_tokenize, folder),
            ("sandbox", bench_sandbox, folder),
            ("service", bench_service, folder),
            ("export", bench_export_verb, folder),
        ):
            # A bench of whole steps has the start in it.
            if args.only == name or (args.only is None and name != "start"):
                bench(where, args.repeats)


main()
