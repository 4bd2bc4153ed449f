import socket
try:
    socket.getaddrinfo("example.com", 80)
    print("ESCAPED")
except OSError:
    print("BLOCKED")
