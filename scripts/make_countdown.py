#!/usr/bin/env python3
"""Writes the files of the countdown task: a corpus, prompts and an empty model.

    scripts/make_countdown.py [--output data/countdown] [--seed 0]

TinyZero's task with three numbers: reach the target with +, - and *, using each
number at most once.

    prompt      ^C7,3,5:22=
    completion  [7+3=10;10+5=15n;3*5=15;15+7=22y]{3*5+7}$

An attempt ends with its verdict: y where it meets the target, else n, so that
stopping at the right place is something the corpus shows. The same seed gives
the same bytes. Needs Python 3 alone.
"""

import argparse
import os
import random

import char_model

OPERATIONS = "+-*"


def apply(left, operation, right):
    if operation == "+":
        return left + right
    return left - right if operation == "-" else left * right


class Countdowns:
    """Draws problems and documents from Random.random() alone."""

    def __init__(self, seed):
        self.random = random.Random(seed).random
        self.held_out = set()

    def below(self, n):
        return int(self.random() * n)

    def attempt(self, numbers):
        """Three numbers in some order with two operations; no negatives on the
        way. Returns (lines, value, expression)."""
        while True:
            order = list(numbers)
            for i in (2, 1):
                j = self.below(i + 1)
                order[i], order[j] = order[j], order[i]
            a, b, c = order
            first, second = OPERATIONS[self.below(3)], OPERATIONS[self.below(3)]
            middle = apply(a, first, b)
            value = apply(middle, second, c)
            if middle < 0 or not 0 < value < 100:
                continue
            inner = f"{a}{first}{b}"
            if second == "*" and first != "*":
                inner = f"({inner})"
            lines = f"{a}{first}{b}={middle};{middle}{second}{c}={value}"
            return lines, value, f"{inner}{second}{c}"

    def problem(self):
        numbers = [1 + self.below(9) for _ in range(3)]
        _, target, _ = self.attempt(numbers)
        return numbers, target

    def document(self):
        while True:
            numbers, target = self.problem()
            prompt = problem_text(numbers, target)
            if prompt not in self.held_out:
                break
        if self.random() < 0.4:
            return f"{prompt}[]{{{self.attempt(numbers)[2]}}}$"
        attempts = []
        for _ in range(4):
            lines, value, expression = self.attempt(numbers)
            attempts.append(lines + ("y" if value == target else "n"))
            if value == target:
                break
        return f"{prompt}[{';'.join(attempts)}]{{{expression}}}$"

    def prompts(self, count, prefix, seen):
        rows = []
        while len(rows) < count:
            numbers, target = self.problem()
            text = problem_text(numbers, target)
            if text in seen:
                continue
            seen.add(text)
            rows.append(
                {
                    "id": f"{prefix}-{len(rows):05d}",
                    "prompt": text,
                    "verifier": "countdown",
                    "numbers": numbers,
                    "target": target,
                }
            )
        return rows


def problem_text(numbers, target):
    return f"^C{','.join(map(str, numbers))}:{target}="


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", default="data/countdown")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--documents", type=int, default=48000)
    args = parser.parse_args()

    os.makedirs(args.output, exist_ok=True)
    path = lambda name: os.path.join(args.output, name)
    draws, seen = Countdowns(args.seed), set()
    char_model.write_model(path("model"))
    for name, count in (("heldout", 256), ("train", 2048)):
        char_model.write_rows(
            path(f"{name}.jsonl"), draws.prompts(count, name, seen)
        )
        draws.held_out = draws.held_out or set(seen)
    char_model.write_rows(
        path("corpus.jsonl"),
        ({"text": draws.document()} for _ in range(args.documents)),
    )


if __name__ == "__main__":
    main()
