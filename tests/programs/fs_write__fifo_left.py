import os
os.mkfifo("pipe")
os.mkfifo("/tmp/pipe")
print(7)
