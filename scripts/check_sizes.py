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

# What cannot hold code: comments, texts, characters. Replaced by blanks, so that
# every brace left is one of the language's.
BLANKS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    r"|'(?:\\.|[^'\\\n])'",
    re.S,
)
SCOPE = re.compile(r"\b(namespace|class|struct|enum|union|extern)\b[^()]*$|^\s*$")
FUNCTION = re.compile(r"\)[\w\s:&>*-]*(\([^{}]*\)[\s\w,]*)*$")


def long_functions(path, text):
    """A function is a block, directly in a namespace or a class, that opens
    behind a parameter list."""
    code = BLANKS.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
    stack, head = [], 0
    for match in re.finditer(r"[{};]", code):
        if match.group() == "{":
            before = re.sub(r"^\s*#.*$", "", code[head:match.start()], flags=re.M)
            in_scope = all(kind == "scope" for kind, _ in stack)
            if SCOPE.search(before):
                kind = "scope"
            elif in_scope and FUNCTION.search(before):
                kind = "function"
            else:
                kind = "other"
            stack.append((kind, match.start()))
        elif match.group() == "}" and stack:
            kind, start = stack.pop()
            lines = code.count("\n", start, match.start()) + 1
            if kind == "function" and lines > FUNCTION_LIMIT:
                line = code.count("\n", 0, start) + 1
                yield f"{path}:{line}: function of {lines} lines"
        head = match.end()


def main():
    bad = []
    for folder in FOLDERS:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.suffix not in LIMITS:
                continue
            text = path.read_text(encoding="utf-8")
            lines = text.splitlines()
            limit = TEST_LIMIT if folder == "tests" else LIMITS[path.suffix]
            if len(lines) > limit:
                bad.append(f"{path}: {len(lines)} lines, at most {limit}")
            bad.extend(long_functions(path, text))
    for path in sorted(pathlib.Path("configs").glob("*.yaml")):
        keys = re.findall(r"^\s*(?:- )?\w+:(?=\s|$)", path.read_text(), re.M)
        if len(keys) > YAML_KEYS:
            bad.append(f"{path}: {len(keys)} keys, at most {YAML_KEYS}")
    print("\n".join(bad) or "sizes ok")
    return bool(bad)


sys.exit(main())
