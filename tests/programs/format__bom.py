print("\ufeff7")
