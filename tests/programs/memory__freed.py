for _ in range(12):
    x = bytearray(50 << 20)
    del x
print(7)
