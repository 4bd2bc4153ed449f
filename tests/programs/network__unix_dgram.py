import socket
try:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.sendto(b"x", "\0rs_abstract_probe")
    print("ESCAPED")
except OSError:
    print("BLOCKED")
