import os
bad = [d for d, _, f in os.walk("/sys") if f]
print("ESCAPED" if bad else "BLOCKED")
