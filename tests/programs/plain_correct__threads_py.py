import threading
x = []
t = [threading.Thread(target=x.append, args=(i,)) for i in range(8)]
[i.start() for i in t]
[i.join() for i in t]
print(sum(x))
