n = 0
try:
    for n in range(200000):
        open(f"f{n}", "w").close()
    print("ESCAPED")
except OSError:
    print("BLOCKED")
