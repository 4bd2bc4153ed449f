import os
bad = []
for fd in range(3, 1024):
    try:
        os.fstat(fd)
        target = os.readlink(f"/proc/self/fd/{fd}")
        if not target.startswith("/proc"):
            bad.append(target)
    except OSError:
        pass
print("ESCAPED " + bad[0] if bad else "BLOCKED")
