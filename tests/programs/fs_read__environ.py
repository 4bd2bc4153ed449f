import os
found = [k for k in os.environ if "SECRET" in k or "TOKEN" in k]
print("ESCAPED" if found else "BLOCKED")
