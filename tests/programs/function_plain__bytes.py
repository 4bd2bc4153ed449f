def f(s):
    return s.encode()
