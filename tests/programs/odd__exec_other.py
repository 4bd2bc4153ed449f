import os
os.execv("/bin/echo", ["echo", "7"])
