print("1   2\n\n3")
