import socket
try:
    socket.create_connection(("169.254.169.254", 80), timeout=1)
    print("ESCAPED")
except OSError:
    print("BLOCKED")
