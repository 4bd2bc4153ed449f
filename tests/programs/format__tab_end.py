print("7\t")
