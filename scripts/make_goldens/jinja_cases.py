"""Renders every template of tests/data/jinja_cases.jsonl with Jinja2, set up as
transformers' apply_chat_template does it, and writes what came of it beside the
template. To add cases, add lines that hold a template and run this:

    .venv/bin/python scripts/make_goldens/jinja_cases.py
"""

import json
import pathlib
import sys

import jinja2
import transformers
from transformers.utils import chat_template_utils

PATH = pathlib.Path("tests/data/jinja_cases.jsonl")


def render(template, variables):
    try:
        compiled = chat_template_utils._compile_jinja_template(template)
        text = compiled.render(
            messages=[{"role": "user"}],
            tools=None,
            documents=None,
            add_generation_prompt=False,
            **variables,
        )
        return {"rendered": text}
    except Exception as error:  # Whatever it is, it is the result.
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    head, *rows = [json.loads(line) for line in PATH.read_text().split("\n") if line]
    head["source"] = f"Jinja2 {jinja2.__version__}, transformers {transformers.__version__}"
    lines = [head]
    for row in rows:
        result = render(row["template"], head["variables"])
        if " at 0x" in result.get("rendered", ""):
            sys.exit(f"an address in what {row['template']!r} gives")
        lines.append({"template": row["template"], **result})
    PATH.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


if __name__ == "__main__":
    main()
