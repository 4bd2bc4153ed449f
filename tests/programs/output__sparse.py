import os
try:
    os.ftruncate(os.open("f", os.O_RDWR | os.O_CREAT), 1 << 40)
    os.pwrite(os.open("f", os.O_RDWR), b"x", (1 << 40) - 1)
    print("ESCAPED")
except OSError:
    print("BLOCKED")
