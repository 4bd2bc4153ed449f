import socket
try:
    s = socket.socket(socket.AF_UNIX)
    s.bind("\0rs_own_meeting_point")
    s.listen()
    print("ESCAPED")
except OSError:
    print("BLOCKED")
