import socket
try:
    s = socket.socket(40, socket.SOCK_STREAM)
    s.settimeout(1)
    s.connect((2, 22))
    print("ESCAPED")
except OSError:
    print("BLOCKED")
