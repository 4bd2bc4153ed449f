import os
bad = []
for d in ("/usr/bin", "/usr/lib", "/etc", "/", "/dev", "/.cohort", "/.cohort/shared", "/proc"):
    try:
        open(d + "/rs_marker_own", "w").close()
        bad.append(d)
    except OSError:
        pass
print("ESCAPED " + bad[0] if bad else "BLOCKED")
