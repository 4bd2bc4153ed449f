import os
while True:
    if os.fork() == 0:
        x = 0
        for i in range(200000):
            x += i
        os._exit(0)
    os.wait()
