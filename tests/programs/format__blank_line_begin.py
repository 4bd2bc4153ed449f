print("\n7")
