print("1\x0b2")
