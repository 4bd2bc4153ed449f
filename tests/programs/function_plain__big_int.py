import math
def f(n):
    return math.factorial(n)
