import os
try:
    fd = os.open("/proc/self/exe", os.O_WRONLY)
    print("ESCAPED")
except OSError:
    print("BLOCKED")
