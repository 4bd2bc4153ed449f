print("7 ")
