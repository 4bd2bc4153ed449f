import os, sys
print(7, flush=True)
os.close(1)
while True:
    pass
