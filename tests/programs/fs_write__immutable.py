import os, stat
os.mkdir("d")
open("d/f", "w").close()
os.chmod("d", 0)
print(7)
