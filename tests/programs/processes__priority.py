import os
bad = 0
for f in (lambda: os.nice(-5), lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))):
    try:
        f()
        bad += 1
    except OSError:
        pass
print("ESCAPED" if bad else "BLOCKED")
