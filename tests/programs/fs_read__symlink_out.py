import os
os.symlink("/etc/shadow", "link")
try:
    open("link").read()
    print("ESCAPED")
except OSError:
    print("BLOCKED")
