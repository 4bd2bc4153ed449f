"""Cohort and the engines beside it: decode and prefill in tokens per CPU-second
of the process, in processes of their own. What a run costs before it decodes is
taken out by a second run that decodes less.
"""

import json
import os
import pathlib
import random
import re
import resource
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BIN = ROOT / "build/release/bin"
PYTHON = sys.executable


class Use:
    """CPU and wall seconds of a command, its output kept."""

    def __init__(self, command, threads=1):
        # As scripts/cohort sets it.
        env = dict(os.environ, BENCH_THREADS=str(threads),
                   OMP_WAIT_POLICY="passive")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        result = subprocess.run([str(part) for part in command], env=env,
                                capture_output=True, text=True)
        self.wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu = (after.ru_utime + after.ru_stime
                    - before.ru_utime - before.ru_stime)
        self.output, self.log = result.stdout, result.stderr
        if result.returncode:
            sys.exit(f"{command[0]} failed:\n{result.stderr[-3000:]}")

    def logged(self, name):
        """A number that the program gave on its last line that has one."""
        return float(re.findall(rf"{name}=([0-9.e+-]+)", self.log)[-1])

    def last_json(self):
        return json.loads(self.output.strip().split("\n")[-1])


class Work:
    """`prompts` prompts of `prompt` tokens, `group` completions of `new` each."""

    def __init__(self, prompts=8, group=8, prompt=32, new=64):
        self.prompts, self.group = prompts, group
        self.prompt, self.new = prompt, new

    @property
    def sequences(self):
        return self.prompts * self.group

    @property
    def context(self):
        """Mean tokens seen by a decoded one."""
        return self.prompt + self.new / 2


def write_ids(path, prompts, tokens, vocabulary):
    draw = random.Random(0)
    with open(path, "w") as file:
        for i in range(prompts):
            ids = [draw.randrange(3, vocabulary) for _ in range(tokens)]
            file.write(json.dumps({"id": str(i), "ids": ids}) + "\n")


class Ours:
    """The sampling verb, sampling included. All prompts at once, or, where
    there is one sequence, `rounds` one after the other."""

    def __init__(self, model, threads=1):
        self.model, self.threads = pathlib.Path(model), threads
        config = json.loads((self.model / "config.json").read_text())
        self.vocabulary = config["vocab_size"]

    def generate(self, work, new, prompts):
        ids = self.model / "ids.jsonl"
        write_ids(ids, prompts, work.prompt, self.vocabulary)
        return Use(
            [BIN / "cohort-rollout", "generate", "--model", self.model,
             "--input", ids, "--output", "/dev/null", "--n", work.group,
             "--ignore-eos", "--max-tokens", new, "--max-sequences",
             work.sequences, "--threads", self.threads, "--device", "cpu"],
            self.threads)

    def decode(self, work, rounds=4):
        """CPU and wall seconds for one token of each of `sequences`: of those
        after the second, which packs the weights. The verb's own clocks leave
        out what loading costs, which varies by more than a step."""
        prompts = work.prompts * rounds
        few = self.generate(work, 2, prompts)
        all_ = self.generate(work, work.new, prompts)
        steps = (work.new - 2) * rounds
        return tuple((all_.logged(clock) - few.logged(clock)) / steps
                     for clock in ("cpu_s", "busy_s"))

    def decode_rate(self, work, rounds=4):
        return work.sequences / self.decode(work, rounds)[0]

    def prefill_rate(self, work, rounds=4):
        """Prompts that nobody shares, one token sampled after each."""
        alone = Work(work.prompts * work.group, 1, work.prompt, 1)
        few = self.generate(alone, 1, alone.prompts)
        many = self.generate(alone, 1, (rounds + 1) * alone.prompts)
        return (rounds * alone.prompts * work.prompt
                / (many.logged("cpu_s") - few.logged("cpu_s")))


class Transformers:
    def __init__(self, model, threads=1):
        self.model, self.threads = model, threads

    def rates(self, work):
        """Decode and prefill."""
        found = Use([PYTHON, HERE / "peer_generate.py", self.model, "--repeats",
                     1, "--prompts", work.prompts, "--group", work.group,
                     "--prompt-tokens", work.prompt, "--new-tokens", work.new],
                    self.threads).last_json()
        return (found["decode_tokens_per_cpu_s"]["median"],
                found["prefill_tokens_per_cpu_s"]["median"])


class Llama:
    """llama.cpp or ik_llama.cpp: `folder` has its llama-batched-bench. It does
    not sample."""

    def __init__(self, folder, gguf, flags=(), threads=1):
        self.binary = pathlib.Path(folder) / "llama-batched-bench"
        self.gguf, self.flags, self.threads = gguf, list(flags), threads

    def run(self, work, new):
        # The cache of a sequence is a multiple of 256 tokens.
        room = work.sequences * 256 * -(-(work.prompt + work.new + 1) // 256)
        return Use([self.binary, "-m", self.gguf, "-t", self.threads, "-c", room,
                    "-b", 2048, "-ub", 512, "-npp", work.prompt, "-ntg", new,
                    "-npl", work.sequences, *self.flags], self.threads)

    def decode_rate(self, work):
        one, all_ = self.run(work, 1), self.run(work, work.new)
        return work.sequences * (work.new - 1) / (all_.cpu - one.cpu)
