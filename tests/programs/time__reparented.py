import os
for _ in range(3):
    if os.fork() == 0:
        if os.fork() == 0:
            while True:
                pass
        os._exit(0)
import time
time.sleep(60)
