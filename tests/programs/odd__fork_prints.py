import os
if os.fork() == 0:
    print(7, flush=True)
    os._exit(0)
os.wait()
