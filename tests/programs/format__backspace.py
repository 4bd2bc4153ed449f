print("8\b7")
