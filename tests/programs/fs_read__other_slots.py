import os
bad = []
for path in ("/scratch", "/old", "/box/..", "/.cohort/shared"):
    try:
        bad += [n for n in os.listdir(path) if n in ("box", "root", "tests", "manifest.jsonl")]
    except OSError:
        pass
bad = [n for n in bad if n != "box"]
print("ESCAPED" if bad else "BLOCKED")
