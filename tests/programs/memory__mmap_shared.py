import mmap
kept = []
while True:
    m = mmap.mmap(-1, 16 << 20)
    m.write(b"x" * (16 << 20))
    kept.append(m)
