print(" 7")
