try:
    for i in range(100):
        open(f"f{i}", "wb").write(b"x" * (4 << 20))
    print("ESCAPED")
except OSError:
    print("BLOCKED")
