import socket
try:
    socket.create_connection(("::1", 50051), timeout=1)
    print("ESCAPED")
except OSError:
    print("BLOCKED")
