"""Files, functions and configs past the sizes at which they must be split.
Prints every one; exits 1 if there is one."""

import pathlib
import re
import sys

FOLDERS = "proto configs sandbox rewards model rollout learner tests".split()
LIMITS = {".cc": 500, ".h": 250, ".cu": 500}
TEST_LIMIT = 600
FUNCTION_LIMIT = 60
YAML_KEYS = 60

# A line that opens a function's body at namespace or class level: not indented
# more than two columns, ends in "{", and is no type, namespace or initialiser.
OPENS = re.compile(r"^ {0,2}\S.*\{$")
NO_FUNCTION = re.compile(
    r"^\s*(namespace|struct|class|enum|union|extern|public|private|}|//|#)|=\s*\{$"
)


def long_functions(path, lines):
    for start, line in enumerate(lines):
        if not OPENS.match(line) or NO_FUNCTION.match(line) or "=" in line[-4:]:
            continue
        indent = len(line) - len(line.lstrip())
        closing = " " * indent + "}"
        for end in range(start + 1, len(lines)):
            if lines[end] == closing or lines[end] == closing + ";":
                if end - start + 1 > FUNCTION_LIMIT:
                    yield f"{path}:{start + 1}: function of {end - start + 1} lines"
                break


def main():
    bad = []
    for folder in FOLDERS:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.suffix not in LIMITS:
                continue
            lines = path.read_text(encoding="utf-8").splitlines()
            limit = TEST_LIMIT if folder == "tests" else LIMITS[path.suffix]
            if len(lines) > limit:
                bad.append(f"{path}: {len(lines)} lines, at most {limit}")
            bad.extend(long_functions(path, lines))
    for path in sorted(pathlib.Path("configs").glob("*.yaml")):
        keys = re.findall(r"^\s*(?:- )?\w+:(?=\s|$)", path.read_text(), re.M)
        if len(keys) > YAML_KEYS:
            bad.append(f"{path}: {len(keys)} keys, at most {YAML_KEYS}")
    print("\n".join(bad) or "sizes ok")
    return bool(bad)


sys.exit(main())
