print("7\n\n\n")
