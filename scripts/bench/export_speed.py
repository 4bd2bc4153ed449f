"""`cohort export` over stores of the demo's kind (make_store.cc): completions a
CPU-second, text a CPU-second with every filter that reads it, and memory."""

import os
import pathlib
import statistics
import subprocess

from engines import BIN, ROOT

GROUP = 16
SHORT, LONG = 100, 4000  # Bytes of a completion.


def write_tests(path):
    """A thousand test questions of 40 words, none of which the store holds."""
    with open(path, "w") as file:
        for i in range(1000):
            words = " ".join(f"test{i}word{j}" for j in range(40))
            file.write(f'{{"question": "{words}"}}\n')


class Store:
    def __init__(self, folder, name, groups, size):
        self.path = folder / name
        self.completions = groups * GROUP
        self.text = int(subprocess.run(
            [BIN / "make_store", self.path, str(groups), str(size)],
            check=True, capture_output=True, text=True).stdout)


def export(store, filters, ending="jsonl"):
    """CPU-seconds and largest memory, in bytes, of one export."""
    command = [BIN / "cohort-learner", "export", store.path, "--output",
               store.path / f"out.{ending}", *filters]
    process = subprocess.Popen([str(part) for part in command],
                               stderr=subprocess.PIPE, text=True)
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"export failed: {error}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def bench_export(bar, folder, repeats):
    subprocess.run(["cmake", "--build", ROOT / "build/release", "--target",
                    "make_store"], check=True, capture_output=True)
    tests = folder / "tests.jsonl"
    write_tests(tests)
    plain = ["--duplicates", "exact"]
    heavy = ["--duplicates", "near", "--decontaminate", tests]
    short = Store(folder, "short", 12500, SHORT)
    twice = Store(folder, "twice", 25000, SHORT)
    long = Store(folder, "long", 600, LONG)
    # Once before, so that all read from the page cache.
    for store in (short, twice, long):
        export(store, plain)
    median = lambda store, *rest: statistics.median(
        export(store, *rest)[0] for _ in range(repeats))
    bar("export, completions/CPU-s", short.completions / median(short, plain),
        50000, True, f"{short.completions} of {SHORT} bytes, exact duplicates")
    bar("  the same as Parquet", short.completions
        / median(short, plain, "parquet"), 50000, True, "zstd, by Arrow")
    bar("  near duplicates and decontamination, text MB/CPU-s",
        long.text / 1e6 / median(long, heavy), 20, True,
        f"{long.completions} of {LONG} bytes")
    seconds = median(short, heavy)
    bar("  the same on short completions, text MB/CPU-s",
        short.text / 1e6 / seconds, 20, True,
        f"{short.completions / seconds:.0f} completions/CPU-s")
    bar("  memory, bytes a completion",
        (export(twice, heavy)[1] - export(short, heavy)[1])
        / (twice.completions - short.completions), 32, False,
        f"{twice.completions} with all filters")
