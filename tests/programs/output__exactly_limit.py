import sys
sys.stdout.write("y" * 1048575 + "\n")
