import re
print(re.findall(r"\d+", input()))
