import os
try:
    os.chmod("/usr/bin/python3", 0o777)
    print("ESCAPED")
except OSError:
    print("BLOCKED")
