def f(x):
    return x + 1e-3
