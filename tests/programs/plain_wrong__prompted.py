print("Enter: 7")
