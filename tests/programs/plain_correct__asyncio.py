import asyncio
async def main():
    return sum(await asyncio.gather(*(f(i) for i in range(5))))
async def f(i):
    await asyncio.sleep(0.01)
    return i
print(asyncio.run(main()))
