import ctypes
libc = ctypes.CDLL(None)
r = libc.mount(None, b"/usr", None, 4096 | 32, None)
print("ESCAPED" if r == 0 else "BLOCKED")
