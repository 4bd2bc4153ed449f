import threading, time
n = 0
try:
    while n < 500:
        threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
        n += 1
except RuntimeError:
    pass
print("BLOCKED" if n < 500 else "ESCAPED", flush=True)
import os
os._exit(0)
