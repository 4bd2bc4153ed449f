print("Seven".lower())
