"""Watches several jobs at once with asyncio: each move of each, as it happens.

python docs/examples/async_watch.py registry.example/team/trainer:1
"""

import asyncio
import sys

from aitrain import AsyncClient, JobSpec


async def watch(client: AsyncClient, number: int, image: str) -> str:
    """Submits one job, follows it to its end, and tells what it wrote last."""
    job = await client.submit(JobSpec.of(image=image, command=["echo", f"hello {number}"], resources={"cpu": 1}))
    ended = await client.wait(job.id, on_change=lambda entry: print(f"{number}: {entry.state}", flush=True))
    lines = [line.text async for line in client.logs(ended.id)]
    return lines[-1] if lines else ended.message


async def main(image: str) -> None:
    """Watches three jobs, then lists the newest ones."""
    async with AsyncClient() as client:
        for text in await asyncio.gather(*(watch(client, number, image) for number in range(3))):
            print(text)
        async for job in client.iter_jobs(limit=3):
            print(job.id, job.state)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
