text = open("/proc/self/mountinfo").read()
print("ESCAPED" if " / / rw" in text or "/work" in text else "BLOCKED")
