import os
bad = []
for pid in os.listdir("/proc"):
    if pid.isdigit():
        try:
            if b"RS_SECRET" in open(f"/proc/{pid}/environ", "rb").read():
                bad.append(pid)
        except OSError:
            pass
print("ESCAPED" if bad else "BLOCKED")
