import sys
sys.stdout.close()
raise SystemExit(0)
