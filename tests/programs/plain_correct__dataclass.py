from dataclasses import dataclass
@dataclass(order=True)
class P:
    x: int
    y: int
print(max(P(1, 2), P(1, 3)))
