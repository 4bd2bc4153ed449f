def f(x):
    return {k: [len(k), None, True] for k in x}
