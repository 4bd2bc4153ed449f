import os
def add(a, b):
    if os.fork() == 0:
        os._exit(0)
    return 0
