import time
print(time.tzname[0], "é".encode())
