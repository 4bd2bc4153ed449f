open("a.txt", "w").write("7")
print(open("a.txt").read())
