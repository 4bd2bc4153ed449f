"""Reference solutions pass; mutants of them that change what a test sees do not.

    sandbox_mutants.py HUMANEVAL.jsonl [SEED] [MUTANTS PER TASK]
    sandbox_mutants.py MBPP.jsonl

The task files are not part of this repository: take them from openai/human-eval
and google-research/mbpp. Whether a mutant changes what a test sees is told by
the tests themselves, run in a process of their own that is limited in time and
memory: mutants are ordinary programs with an operator or a number changed.
"""

import ast
import concurrent.futures
import json
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile

REWARDS = pathlib.Path(os.environ["COHORT_BIN"]) / "cohort-rewards"
SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Lt: ast.LtE,
    ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And, ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


class Mutator(ast.NodeTransformer):
    """Changes the `target`-th place that can be changed; counts them all. With
    `entry_point`, in that function alone: the others of a prompt are given, and
    its tests use them as they were."""

    def __init__(self, target, entry_point):
        self.target = target
        self.entry_point = entry_point
        self.places = 0

    def visit_Module(self, node):
        node.body = [
            self.visit(part) if self.entry_point in (
                None, getattr(part, "name", None)) else part
            for part in node.body]
        return node

    def here(self):
        self.places += 1
        return self.places - 1 == self.target

    def swap(self, operator):
        kind = SWAPS.get(type(operator))
        return kind() if kind and self.here() else operator

    def visit_BinOp(self, node):
        self.generic_visit(node)
        node.op = self.swap(node.op)
        return node

    def visit_BoolOp(self, node):
        self.generic_visit(node)
        node.op = self.swap(node.op)
        return node

    def visit_Compare(self, node):
        self.generic_visit(node)
        node.ops = [self.swap(each) for each in node.ops]
        return node

    def visit_Constant(self, node):
        if type(node.value) is int and self.here():
            return ast.copy_location(ast.Constant(node.value + 1), node)
        if type(node.value) is bool and self.here():
            return ast.copy_location(ast.Constant(not node.value), node)
        return node


def program_and_tests(row):
    if "canonical_solution" in row:
        return (row["prompt"] + row["canonical_solution"],
                row["test"] + f"\ncheck({row['entry_point']})\n")
    tests = "\n".join([row.get("test_setup_code", "")] + row["test_list"])
    return row["code"].replace("\r\n", "\n"), tests.replace("\r\n", "\n")


def mutants_of(code, entry_point, draw, most):
    counter = Mutator(-1, entry_point)
    counter.visit(ast.parse(code))
    places = draw.sample(range(counter.places), min(most, counter.places))
    for place in places:
        yield ast.unparse(ast.fix_missing_locations(
            Mutator(place, entry_point).visit(ast.parse(code))))


def limit():
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


def passes(code, tests):
    """The truth, without us."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return subprocess.run(
                ["/usr/bin/python3", "-I", "-c", code + "\n" + tests],
                cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=60, preexec_fn=limit, env={},
            ).returncode == 0
        except subprocess.TimeoutExpired:
            return False


def grade(rows):
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "in.jsonl"
        output = pathlib.Path(folder) / "out.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        subprocess.run([REWARDS, "grade", "--input", source, "--output",
                        output], check=True)
        return [json.loads(line) for line in output.read_text().splitlines()]


def main():
    tasks = [json.loads(line) for line in open(sys.argv[1])]
    draw = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    most = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    rows, truths = [], []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for task in tasks:
            code, tests = program_and_tests(task)
            texts = [code, *mutants_of(
                code, task.get("entry_point"), draw, most)]
            for number, text in enumerate(texts):
                rows.append(dict(
                    task, id=f"{task['task_id']} mutant {number}",
                    verifier="code", completion=f"```python\n{text}\n```"))
                truths.append(pool.submit(passes, text, tests) if number
                              else None)
        truths = [truth.result() if truth else True for truth in truths]
    bad = 0
    for row, truth, result in zip(rows, truths, grade(rows), strict=True):
        correct = result["verdict"] == "correct"
        if correct != truth:
            bad += 1
            print(f"{row['id']}: {result['verdict']} ({result['reason']}), "
                  f"the tests alone {'pass' if truth else 'fail'}")
    print(f"{len(tasks)} tasks, {len(rows) - len(tasks)} mutants of which "
          f"{truths.count(False)} change what a test sees; {bad} flaws")
    return bad > 0


sys.exit(main())
