import os
for _ in range(4):
    if os.fork() == 0:
        while True:
            pass
import time
time.sleep(60)
