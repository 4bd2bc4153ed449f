import os
print("ESCAPED" if os.path.exists("/tmp/rs_left_here") or os.path.exists("/dev/shm/rs_left_here") else "BLOCKED")
