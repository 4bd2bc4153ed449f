"""Decoding and prefill of the larger shapes beside transformers, llama.cpp and
ik_llama.cpp, interleaved.

The folder of a native build of llama.cpp (llama-batched-bench, llama-debug) is
named by COHORT_LLAMA_BIN, that of ik_llama.cpp by COHORT_IK_LLAMA_BIN; without
them their rows are left out and said to be.
"""

import json
import os
import pathlib
import statistics
import subprocess

from engines import BIN, HERE, PYTHON, Llama, Ours, Transformers, Use, Work
from roofline import decode_limit, prefill_limit

# ik_llama.cpp's fastest flags: a single stream, and many.
IK_FLAGS = {True: ["-mla", "1", "-fa", "off"], False: ["-mla", "3", "-fa", "on"]}


class Model:
    """A checkpoint and what was converted from it, made when first needed."""

    def __init__(self, folder, shape, skew=False):
        self.name = f"{shape}, skewed routing" if skew else shape
        self.path = folder / (shape + ("-skew" if skew else ""))
        if not self.path.exists():
            subprocess.run(
                [PYTHON, HERE / "make_model.py", self.path, "--shape", shape,
                 *(["--skew"] if skew else [])],
                check=True, capture_output=True)
        self.config = json.loads((self.path / "config.json").read_text())

    def gguf(self, whole_kv=False):
        path = pathlib.Path(f"{self.path}{'-whole-kv' if whole_kv else ''}.gguf")
        if not path.exists():
            subprocess.run(
                [PYTHON, HERE / "make_gguf.py", self.path, path,
                 *(["--whole-kv"] if whole_kv else [])],
                check=True, capture_output=True)
        return path

    def check_logits(self):
        """Refuses to compare engines that compute different models."""
        command = [PYTHON, HERE / "peer_logits.py", self.path,
                   BIN / "cohort-rollout"]
        if os.environ.get("COHORT_LLAMA_BIN"):
            command += ["--llama",
                        f"{os.environ['COHORT_LLAMA_BIN']}/llama-debug",
                        "--gguf", self.gguf()]
        for engine, off in Use(command).last_json().items():
            # llama.cpp keeps its cache in float16.
            most = 1e-4 if engine == "cohort" else 2e-2
            print(f"logits {self.name}: {engine} within {off:.1e} of "
                  f"transformers (at most {most:.0e})")
            if not off <= most:
                raise SystemExit(f"{engine} computes another model")


def llama_peers(model, single):
    peers = {}
    if os.environ.get("COHORT_LLAMA_BIN"):
        peers["llama.cpp"] = Llama(os.environ["COHORT_LLAMA_BIN"], model.gguf())
    if os.environ.get("COHORT_IK_LLAMA_BIN"):
        latent = "kv_lora_rank" in model.config
        peers["ik_llama.cpp"] = Llama(
            os.environ["COHORT_IK_LLAMA_BIN"], model.gguf(whole_kv=latent),
            IK_FLAGS[single] if latent else [])
    return peers


def spread_of(values):
    return "/".join(f"{v:.4g}" for v in
                    (min(values), statistics.median(values), max(values)))


def report(name, rates, bars, limit):
    """rates: engine -> values of the rounds, "cohort" among them. bars: engine
    -> what the ratio must reach, or None; of several engines under one name,
    the fastest."""
    ours = rates["cohort"]
    share = statistics.median(ours) / limit
    print(f"{name}: cohort {spread_of(ours)} tokens/CPU-s, "
          f"{100 * share:.0f} % of the machine's limit {limit:.4g}")
    for engine, bar in bars.items():
        names = [n for n in engine.split(" or ") if n in rates]
        if not names:
            print(f"{'absent':7} {engine}: not built here")
            continue
        best = max(names, key=lambda n: statistics.median(rates[n]))
        ratio = statistics.median(a / b for a, b in zip(ours, rates[best]))
        verdict = "" if bar is None else "ok" if ratio >= bar else "BELOW"
        wanted = "" if bar is None else f" >= {bar}"
        print(f"{verdict:7} {best} {spread_of(rates[best])}: "
              f"ratio {ratio:.2f}{wanted}")


def decode_case(model, work, bars, limits, repeats, rounds=4):
    wanted = {name for names in bars for name in names.split(" or ")}
    peers = {name: peer
             for name, peer in llama_peers(model, work.sequences == 1).items()
             if name in wanted}
    rates = {}
    for _ in range(repeats):
        rates.setdefault("cohort", []).append(
            Ours(model.path).decode_rate(work, rounds))
        if "transformers" in bars:
            rates.setdefault("transformers", []).append(
                Transformers(model.path).rates(work)[0])
        for name, peer in peers.items():
            rates.setdefault(name, []).append(peer.decode_rate(work))
    report(f"decode {model.name}, {work.sequences} sequences, "
           f"{work.prompt}+{work.new}", rates, bars,
           decode_limit(model.config, work.sequences, work.context, limits))


def prefill_case(model, bar, limits, repeats):
    work = Work(new=2)
    ours, shared, peer = [], [], []
    for _ in range(repeats):
        ours.append(Ours(model.path).prefill_rate(work))
        peer.append(Transformers(model.path).rates(work)[1])
        # A group's prompt is computed once, for all its members.
        shared.append(ours[-1] * work.group)
    limit = prefill_limit(model.config, work.prompt, limits)
    name = f"prefill {model.name}, 64 prompts of {work.prompt}"
    report(name, {"cohort": ours, "transformers": peer},
           {"transformers": bar}, limit)
    ratio = statistics.median(a / b for a, b in zip(shared, peer))
    print(f"        groups of {work.group} share a prompt: {ratio:.1f} times "
          f"transformers")


def threads_case(model, repeats):
    """Wall seconds count on a quiet machine only."""
    work, wall, cpu = Work(), [], []
    for _ in range(repeats):
        one, two = (Ours(model.path, threads).decode(work) for threads in (1, 2))
        wall.append(one[1] / two[1])
        cpu.append(one[0] / two[0])
    load = os.getloadavg()[0]
    quiet = load < 2.5
    value, bar = ((wall, 1.8) if quiet else (cpu, 0.8))
    ok = statistics.median(value) >= bar
    print(f"{'ok' if ok else 'BELOW':7} decode {model.name}, two threads over "
          f"one: wall {spread_of(wall)}, tokens per CPU-second "
          f"{spread_of(cpu)}; load {load:.1f}: "
          f"{'wall' if quiet else 'CPU'} >= {bar}")


def bench_speed(folder, repeats):
    limits = Use([BIN / "machine_limits"]).last_json()
    print(f"one thread: {limits['gflops']:.0f} GFLOP/s, "
          f"{limits['gbytes_per_s']:.0f} GB/s")
    small = Model(folder, "small")
    small.check_logits()
    many, one = Work(), Work(1, 1)
    decode_case(small, many, {"transformers": 4.5, "llama.cpp": 1.85,
                              "ik_llama.cpp": None}, limits, repeats)
    decode_case(small, Work(new=256), {"transformers": 8.0}, limits,
                min(repeats, 2))
    decode_case(small, one, {"llama.cpp or ik_llama.cpp": 1.1}, limits, repeats,
                rounds=8)
    prefill_case(small, 1.5, limits, repeats)
    threads_case(small, repeats)
    dense = Model(folder, "dense-small")
    dense.check_logits()
    decode_case(dense, many, {"transformers": None, "llama.cpp": 1.3,
                              "ik_llama.cpp": None}, limits, repeats)
    decode_case(dense, one, {"llama.cpp or ik_llama.cpp": None}, limits,
                repeats, rounds=8)
    prefill_case(dense, 1.15, limits, repeats)
    for other in (Model(folder, "small-odd"), Model(folder, "small", skew=True)):
        decode_case(other, many, {"transformers": None}, limits, 1)
