open("/tmp/rs_left_here", "w").write("x")
open("/dev/shm/rs_left_here", "w").write("x")
print(7)
