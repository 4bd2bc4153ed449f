print("8\r7")
