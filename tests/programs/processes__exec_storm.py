import os
for i in range(200):
    if os.fork() == 0:
        os.execv("/bin/true", ["true"])
    os.wait()
print(7)
