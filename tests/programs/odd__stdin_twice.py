print(open("/dev/stdin").read().strip())
