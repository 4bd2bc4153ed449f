print("07")
