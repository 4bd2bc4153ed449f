import os
try:
    os.sched_setaffinity(0, {0})
except OSError:
    pass
print(7)
