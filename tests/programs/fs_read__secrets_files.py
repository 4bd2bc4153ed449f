import os
bad = []
for path in ("/root/.bashrc", "/root/.ssh/id_rsa", "/etc/shadow", "/etc/sudoers", "/etc/hostname", "/var/log/dpkg.log"):
    try:
        open(path, "rb").read(1)
        bad.append(path)
    except OSError:
        pass
print("ESCAPED " + bad[0] if bad else "BLOCKED")
