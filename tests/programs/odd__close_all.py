import os
print(7, flush=True)
for fd in range(256):
    try:
        os.close(fd)
    except OSError:
        pass
os._exit(0)
