"""Prints the reference of all configuration keys: name, default and comment,
taken from the headers of configs/."""

import pathlib
import re

SECTIONS = {
    "RunConfig": "run",
    "ModelSection": "model",
    "RolloutConfig": "rollout",
    "RewardsConfig": "rewards",
    "LearnerConfig": "learner",
    "ExportConfig": "export",
    "PromptSetConfig": "learner.prompts",
    "StageConfig": "stages.<i>",
}
FIELD = re.compile(r"^  [\w:<>, ]+? (\w+)(?: = (.+?))?;$")


def main():
    text = "".join(
        pathlib.Path("configs", name).read_text(encoding="utf-8")
        for name in ("config.h", "learner_config.h", "export_config.h")
    )
    for struct, section in SECTIONS.items():
        body = re.search(rf"struct {struct} {{\n(.*?)\n}};", text, re.S).group(1)
        comment = []
        for line in body.split("\n"):
            if line.startswith("  //"):
                comment.append(line[4:].strip())
                continue
            field = FIELD.match(line)
            if field:
                default = f" = {field.group(2)}" if field.group(2) else ""
                print(f"{section}.{field.group(1)}{default}")
                if comment:
                    print(f"    {' '.join(comment)}")
            comment = []


main()
