import os, time
for _ in range(100):
    os.write(1, b"7")
    time.sleep(0.1)
