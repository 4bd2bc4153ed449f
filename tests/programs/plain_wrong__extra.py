print(7)
print(7)
