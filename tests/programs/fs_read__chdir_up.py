import os
for _ in range(50):
    os.chdir("..")
print("ESCAPED" if set(os.listdir(".")) & {"home", "root", "srv", "work"} else "BLOCKED")
