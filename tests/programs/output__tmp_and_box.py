n = 0
try:
    for i in range(60):
        for d in ("/box", "/tmp", "/dev/shm"):
            open(f"{d}/f{i}", "wb").write(b"x" * (1 << 20))
            n += 1
    print("ESCAPED", n)
except OSError:
    print("BLOCKED" if n < 40 else "ESCAPED")
