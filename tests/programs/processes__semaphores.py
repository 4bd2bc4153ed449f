import ctypes
libc = ctypes.CDLL(None)
n = sum(1 for _ in range(2000) if libc.semget(0, 1, 0o600 | 512) >= 0)
print("BLOCKED" if n < 2000 else "ESCAPED")
