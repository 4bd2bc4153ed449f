#!/usr/bin/env python3
"""Writes the files of the chain task: a corpus, prompts and an empty model.

    scripts/make_chain.py [--output data/chain] [--seed 0] [--documents 64000]

A chain is arithmetic modulo 10, evaluated from left to right:

    prompt      ^E7*3+8-5=
    completion  [7*3=1;1+8=9;9-5=4]{4}$

The corpus shows two habits, mostly the lazy one: answering at once (nearly
always wrong), and deriving step by step (with slips, jumps and corrections).
Some documents have damaged tags, some are bare facts. A problem is held out of
corpus and training when a hash of its text says so. The same seed gives the
same bytes. Needs Python 3 alone.
"""

import argparse
import os
import random

import char_model

OPERATIONS = "+-*"


def apply(left, operation, right):
    if operation == "+":
        return (left + right) % 10
    if operation == "-":
        return (left - right) % 10
    return (left * right) % 10


def held_out(problem):
    """FNV-1a with a final mix: one problem in five, whatever the seed."""
    value = 0xCBF29CE484222325
    for byte in problem.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD % 2**64
    value ^= value >> 33
    return value % 5 == 0


class Chains:
    """Draws problems and documents. Only Random.random() is used: its stream is
    the same in every version of Python."""

    def __init__(self, seed):
        self.random = random.Random(seed).random

    def below(self, n):
        return int(self.random() * n)

    def problem(self):
        """A problem as (first operand, [(operation, operand), ...])."""
        first = 1 + self.below(9)
        steps = [
            (OPERATIONS[self.below(3)], 2 + self.below(8))
            for _ in range(3 + self.below(4))
        ]
        return first, steps

    def direct(self, answer):
        right = self.random() < 0.30
        return "", answer if right else self.below(10)

    def derivation(self, first, steps):
        checker = self.random() < 0.30
        skipper = self.random() < 0.50
        value, at, lines = first, 0, []
        while at < len(steps):
            operation, operand = steps[at]
            right = apply(value, operation, operand)
            if skipper and at + 1 < len(steps) and self.random() < 0.5:
                next_operation, next_operand = steps[at + 1]
                result = apply(right, next_operation, next_operand)
                if self.random() < 0.5:
                    result = self.below(10)
                lines.append(
                    f"{value}{operation}{operand}"
                    f"{next_operation}{next_operand}={result}"
                )
                value, at = result, at + 2
                continue
            result, correction = right, ""
            if self.random() < (0.12 if checker else 0.04):
                result = self.below(10)
                if checker and result != right:
                    correction = f"!{right}"
            lines.append(f"{value}{operation}{operand}={result}{correction}")
            value, at = right if correction else result, at + 1
        return ";".join(lines), value

    def damaged(self, thought, answer):
        kind = self.below(4)
        if kind == 0:
            return f"{{{answer}}}$"
        if kind == 1:
            return f"[{thought}]{answer}$"
        if kind == 2:
            return f"[{thought}{{{answer}}}$"
        return f"{thought}={answer}$"

    def facts(self):
        facts = []
        for _ in range(8):
            left, right = self.below(10), 2 + self.below(8)
            operation = OPERATIONS[self.below(3)]
            facts.append(
                f"{left}{operation}{right}={apply(left, operation, right)}"
            )
        return "^N" + ";".join(facts) + "$"

    def document(self):
        if self.random() < 0.15:
            return self.facts()
        while True:
            first, steps = self.problem()
            text = problem_text(first, steps)
            if not held_out(text):
                break
        if self.random() < 0.55:
            thought, answer = self.direct(solve(first, steps))
        else:
            thought, answer = self.derivation(first, steps)
        if self.random() < 0.15:
            body = self.damaged(thought, answer)
        else:
            body = f"[{thought}]{{{answer}}}$"
        return f"^E{text}={body}"

    def prompts(self, count, want_held_out, prefix):
        rows, seen = [], set()
        while len(rows) < count:
            first, steps = self.problem()
            text = problem_text(first, steps)
            if text in seen or held_out(text) != want_held_out:
                continue
            seen.add(text)
            rows.append(
                {
                    "id": f"{prefix}-{len(rows):05d}",
                    "prompt": f"^E{text}=",
                    "verifier": "chain",
                    "answer": str(solve(first, steps)),
                }
            )
        return rows


def problem_text(first, steps):
    return str(first) + "".join(f"{o}{n}" for o, n in steps)


def solve(first, steps):
    value = first
    for operation, operand in steps:
        value = apply(value, operation, operand)
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", default="data/chain")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--documents", type=int, default=64000)
    parser.add_argument("--prompts", type=int, default=4096)
    parser.add_argument("--held-out", type=int, default=512)
    args = parser.parse_args()

    os.makedirs(args.output, exist_ok=True)
    path = lambda name: os.path.join(args.output, name)
    chains = Chains(args.seed)
    held = Chains(1)  # The same held-out problems for every seed.
    char_model.write_model(path("model"))
    char_model.write_rows(
        path("heldout.jsonl"), held.prompts(args.held_out, True, "heldout")
    )
    char_model.write_rows(
        path("train.jsonl"), chains.prompts(args.prompts, False, "train")
    )
    char_model.write_rows(
        path("corpus.jsonl"),
        ({"text": chains.document()} for _ in range(args.documents)),
    )


if __name__ == "__main__":
    main()
