print(hash("cohort") == hash("cohort"), len({hash(str(i)) for i in range(9)}))
