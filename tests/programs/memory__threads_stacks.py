import threading, time
threads = [threading.Thread(target=time.sleep, args=(0.3,)) for _ in range(40)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(7)
