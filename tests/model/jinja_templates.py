"""Writes random templates and what Jinja2 makes of them, set up as transformers'
apply_chat_template does it: jinja_templates.py SEED COUNT OUTPUT.

The first line holds the variables, each further one a template and its text or
error."""

import copy
import json
import random
import re
import sys

from transformers.utils import chat_template_utils

VARIABLES = {
    "n": 5, "f": 1.5, "neg": -7, "big": 12345678901234567890, "t": True, "nul": None,
    "x": "Hello World", "e": "", "s": " a,b,,c\n", "u": "Àé ß 你好 😀", "l": [3, 1, 2],
    "w": ["b", "A", "c"], "d": {"b": 1, "a": "é", "c": None}, "k": [[1, 2], [3, [4]]],
    "ms": [{"role": "user", "content": " hi\n"}, {"role": "assistant", "content": "<think>y</think>z", "tool_calls": []}],
}
r = random.Random(int(sys.argv[1]))
pick = r.choice

ATOMS = list(VARIABLES) + ["undef", "1", "0", "2", "-1", "2.5", "'a'", "','", "''", "'Lo'", "[]", "[1, 'b', none]",
    "{'a': 1, 'q': [2]}", "(1, 2)", "true", "none", "range(4)", "ms[0]", "d.items()", "ms[-1].role", "loop", "ns.v"]
FILTERS = ["upper", "lower", "title", "capitalize", "trim", "length", "first", "last", "list", "join", "join(', ')", "sort",
    "reverse", "unique", "sum", "min", "max", "abs", "int", "float", "round", "round(1)", "string", "tojson", "tojson(indent=2)",
    "default('D')", "default('D', true)", "replace('a', 'Z')", "indent", "indent(2, true)", "truncate(4)", "center(9)",
    "e", "safe", "items", "dictsort", "batch(2)", "slice(2)", "map('string')", "map('upper')", "map(attribute='role')",
    "select", "reject", "select('odd')", "selectattr('role')", "selectattr('role', 'eq', 'user')", "rejectattr('role', '==', 'user')",
    "groupby('role')", "attr('role')", "urlencode", "striptags", "format(1)", "wordwrap(5)", "xmlattr", "filesizeformat", "count"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "sequence", "iterable",
    "callable", "odd", "even", "lower", "upper", "true", "false", "divisibleby 2", "eq 1", "in [1, 'a']", "gt 1", "ne 'a'", "escaped"]
METHODS = ["upper()", "lower()", "strip()", "split()", "split(',')", "rstrip('\\n')", "startswith('H')", "endswith('d')",
    "replace('l', 'L')", "find('o')", "count('l')", "title()", "items()", "keys()", "get('a')", "get('zz', 0)", "index(1)",
    "partition(' ')", "splitlines()", "join(['x', 'y'])", "zfill(8)", "isalpha()", "format(1, 2)", "role", "b", "zz", "append(1)"]
OPS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">", "<=", ">=", "in", "not in", "and", "or"]

def expr(depth):
    if depth == 0:
        return pick(ATOMS)
    kind = r.randrange(12)
    inner = expr(depth - 1)
    if kind < 3: return f"{inner}|{pick(FILTERS)}"
    if kind == 3: return f"({inner}) is {pick(['', 'not '])}{pick(TESTS)}"
    if kind == 4: return f"({inner}).{pick(METHODS)}"
    if kind == 5: return f"({inner})[{pick(['0', '-1', '1:', ':2', '::-1', '1:-1', repr('a'), 'n', '::2'])}]"
    if kind == 6: return f"({inner} if {expr(depth - 1)} else {expr(0)})"
    if kind == 7: return f"[{inner}, {expr(0)}]"
    if kind == 8: return pick(["not ", "-", "+"]) + f"({inner})"
    if kind == 9: return f"{inner}|{pick(FILTERS)}|{pick(FILTERS)}"
    op = pick(OPS)
    right = pick(["2", "3", "n"]) if op == "**" else expr(depth - 1)
    return f"({inner}) {op} ({right})"

def text():
    return pick(["", " ", "\n", "  \n", "a", " b ", "\n  c", "d\n", "\t", "{", "}\n\n"])

def tag(body):
    return "{%" + pick(["", "-", "+", ""]) + " " + body + " " + pick(["", "-", "+", ""]) + "%}"

def node(depth):
    kind = r.randrange(11)
    if depth == 0 or kind < 4:
        return "{{" + pick(["", "-", ""]) + " " + expr(pick([0, 1, 1, 1, 2, 2, 3])) + " " + pick(["", "-", ""]) + "}}"
    body = nodes(depth - 1)
    if kind == 4: return tag(f"if {expr(2)}") + body + tag("else") + nodes(depth - 1) + tag("endif")
    if kind == 5: return tag(f"for i in {expr(1)}") + body + "{{ loop.index }}{{ i }}" + tag("endfor")
    if kind == 6: return tag(f"for a, b in {pick(['d.items()', 'k', 'd|dictsort', expr(1)])}{pick(['', ' if a'])}") + body + tag("else") + "E" + tag("endfor")
    if kind == 7: return tag(f"set {pick(['x', 'v', 'n', 'l'])} = {expr(2)}") + body
    if kind == 8: return tag("set v") + body + tag("endset") + "{{ v }}"
    if kind == 9: return tag(f"macro m(p, q={expr(0)})") + body + "{{ p }}{{ q }}" + tag("endmacro") + "{{ m(" + expr(1) + ") }}"
    return pick([tag("filter upper") + body + tag("endfilter"), "{#" + pick(["", "-"]) + " c " + pick(["", "-"]) + "#}" + body,
                 tag("with n = " + expr(1)) + body + tag("endwith"), tag("set ns = namespace(v=" + expr(1) + ")") + body,
                 tag("for i in l") + body + tag("if i == 1") + tag(pick(["break", "continue"])) + tag("endif") + "{{ i }}" + tag("endfor"),
                 tag("generation") + body + tag("endgeneration"), "{% raw %}{{ x }}" + text() + tag("endraw")])

def nodes(depth):
    return "".join(text() + node(depth) for _ in range(r.randrange(1, 4))) + text()

def render(template):
    try:
        compiled = chat_template_utils._compile_jinja_template(template)
        return {"rendered": compiled.render(messages=[{}], tools=None, documents=None, add_generation_prompt=False, **copy.deepcopy(VARIABLES))}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}

def is_foretold(row):
    """Python's own addresses, and sets, which templates cannot make but out of
    views, are not."""
    text = row.get("rendered", "")
    return not re.search("0x[0-9a-f]{6}|generator", text.lower())


def main():
    rows = [{"variables": VARIABLES}]
    for _ in range(int(sys.argv[2])):
        template = nodes(pick([0, 0, 1, 1, 2]))
        row = {"template": template, **render(template)}
        if is_foretold(row) and "items() -" not in template:
            rows.append(row)
    with open(sys.argv[3], "w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row) + "\n")


main()
