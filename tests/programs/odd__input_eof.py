try:
    input()
except EOFError:
    print(7)
