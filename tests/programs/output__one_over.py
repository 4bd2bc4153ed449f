import sys
sys.stdout.write("y" * 1048576 + "\n")
