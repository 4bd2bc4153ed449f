import atexit, os
atexit.register(os._exit, 4)
print(7)
