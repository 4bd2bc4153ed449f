import os
for name in ("-rf", "a\nb", "$(reboot)", "..x", "*"):
    open(name, "w").close()
print(7)
