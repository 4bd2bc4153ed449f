print(7, end="")
