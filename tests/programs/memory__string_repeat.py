s = "a" * 10
while True:
    s = s + s
