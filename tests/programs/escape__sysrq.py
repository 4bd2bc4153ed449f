import os
bad = []
for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/sys/kernel/uevent_helper", "/proc/sys/vm/overcommit_memory"):
    try:
        os.close(os.open(path, os.O_WRONLY))
        bad.append(path)
    except OSError:
        pass
print("ESCAPED" if bad else "BLOCKED")
