"""Conversations in: `tokenize` and `generate` render a row's messages, tools and
kwargs by the folder's own template, and nothing of the row is lost on the way."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROLLOUT = str(pathlib.Path(os.environ["COHORT_BIN"]) / "cohort-rollout")

# All in characters that the tokenizer of tests/data/char_tokenizer knows.
TEMPLATE = (
    "{% if tools %}{{ '{' }}{% for t in tools %}{{ t.name }}{% endfor %}{{ '}' }}"
    "{% endif %}"
    "{% for m in messages %}^{{ m.role[0] | replace('u', '0') | replace('a', '1')"
    " | replace('t', '2') }}:{{ m.content if m.content is not none else '' }}"
    "{% for c in m.tool_calls or [] %}[{{ c.function.name }}("
    "{{ c.function.arguments.x }})]{% endfor %}"
    "{% if m.reasoning_content %}({{ m.reasoning_content }}){% endif %}"
    "{% endfor %}{% if add_generation_prompt %}N{% endif %}"
    "{% if terse %}!{% endif %}")

# Two turns with a call between them, and what the template makes of them.
CHAT = {
    "tools": [{"name": "+"}, {"name": "-"}],
    "messages": [
        {"role": "user", "content": "1+2"},
        {"role": "assistant", "content": None, "reasoning_content": "?",
         "tool_calls": [{"function": {"name": "+",
                                      "arguments": {"x": 12345678901234567890123}}}]},
        {"role": "tool", "content": "3"},
        {"role": "assistant", "content": "=3"},
        {"role": "user", "content": "3-1"},
    ],
}
TEXT = "{+-}^0:1+2^1:[+(12345678901234567890123)](?)^2:3^1:=3^0:3-1"


class MessagesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cohort_messages_")
        self.addCleanup(folder.cleanup)
        self.model = pathlib.Path(folder.name) / "model"
        shutil.copytree(ROOT / "tests/data/parity/qwen2/fp32", self.model)
        file = json.loads(
            (ROOT / "tests/data/char_tokenizer/tokenizer.json").read_text())
        # One token per character, so that what comes out is known beforehand.
        file["added_tokens"] = []
        (self.model / "tokenizer.json").write_text(json.dumps(file))
        (self.model / "chat_template.jinja").write_text(TEMPLATE)
        self.ids_of = file["model"]["vocab"]

    def ids(self, text):
        return [self.ids_of[character] for character in text]

    def run_verb(self, rows, *command):
        result = subprocess.run(
            [ROLLOUT, *map(str, command), "--model", self.model],
            input="".join(json.dumps(row) + "\n" for row in rows), text=True,
            capture_output=True, timeout=120)
        self.assertEqual(result.returncode, 0, result.stderr[-2000:])
        return [json.loads(line) for line in result.stdout.splitlines()]

    def test_tokenize_renders_what_the_template_says(self):
        got = self.run_verb(
            [CHAT,
             {**CHAT, "kwargs": {"add_generation_prompt": True, "terse": True}},
             {"messages": []}, {"messages": CHAT["messages"][:1]}], "tokenize")
        for row, text in ((got[0], TEXT), (got[1], TEXT + "N!"),
                          (got[3], "^0:1+2")):
            self.assertEqual(row["text"], text)
            self.assertEqual(row["ids"], self.ids(text))
        self.assertIn("error", got[2])

    # A conversation is continued as its rendered tokens would be.
    def test_generate_continues_a_conversation(self):
        rows = [{"id": "chat", **CHAT}, {"id": "ids", "ids": self.ids(TEXT + "N")},
                {"id": "terse", **CHAT, "kwargs": {"terse": True}},
                {"id": "terse ids", "ids": self.ids(TEXT + "N!")},
                {"id": "none", "messages": []}]
        got = self.run_verb(rows, "generate", "--input", "-", "--output", "-",
                            "--temperature", 0, "--max-tokens", 8,
                            "--ignore-eos")
        self.assertEqual([row["id"] for row in got], [row["id"] for row in rows])
        chat, ids, terse, terse_ids, none = got
        for ours, wanted in ((chat, ids), (terse, terse_ids)):
            [mine], [theirs] = ours["completions"], wanted["completions"]
            self.assertEqual(mine["ids"], theirs["ids"])
            self.assertEqual(mine["logprobs"], theirs["logprobs"])
            self.assertEqual(len(mine["ids"]), 8)
        self.assertNotEqual(chat["completions"][0]["logprobs"],
                            terse["completions"][0]["logprobs"])
        self.assertIn("messages", none["error"])


if __name__ == "__main__":
    unittest.main()
