"""Who may include whom, among our folders, and which third-party headers stay
inside which files. Prints every breach; exits 1 if there is one."""

import pathlib
import re
import sys

MAY_INCLUDE = {
    "proto": set(),
    "configs": {"proto"},
    "sandbox": {"proto"},
    "model": {"proto", "configs"},
    "rewards": {"proto", "configs", "sandbox"},
    "rollout": {"proto", "configs", "model"},
    "learner": {"proto", "configs", "model"},
}
OURS = re.compile(r'^#include "(\w+)/', re.M)

# Header -> where it may be included: it is slow to parse, or what it throws is
# caught there alone.
CONFINED = {
    r"torch/torch\.h": r"^$",
    r"torch/types\.h": r"\.cc$",
    r"yaml-cpp/": r"^configs/[a-z_]*\.(cc|h)$",
    r"(arrow|parquet)/": r"^proto/parquet_(reader|writer)\.cc$",
    r"nlohmann/(?!json_fwd)": r"\.cc$",  # json_fwd.hpp only declares.
}


def sources():
    for folder in MAY_INCLUDE:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.suffix in {".h", ".cc", ".cu"}:
                yield folder, path, path.read_text(encoding="utf-8")


def main():
    bad = []
    for folder, path, text in sources():
        for other in OURS.findall(text):
            if other in MAY_INCLUDE.keys() - MAY_INCLUDE[folder] - {folder}:
                bad.append(f"{path}: {folder} must not include {other}/")
        for header, where in CONFINED.items():
            if re.search(rf"^#include [<\"]{header}", text, re.M):
                if not re.search(where, str(path)):
                    bad.append(f"{path}: must not include {header}")
    print("\n".join(bad) or "layers ok")
    return bool(bad)


sys.exit(main())
