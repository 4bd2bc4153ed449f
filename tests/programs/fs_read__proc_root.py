import os
bad = []
for pid in ("1", "2", "self"):
    for name in ("root/root", "root/home", "cwd/../root"):
        try:
            bad += os.listdir(f"/proc/{pid}/{name}")
        except OSError:
            pass
print("ESCAPED" if bad else "BLOCKED")
