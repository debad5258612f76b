"""Tasks that write at the same time: `python many_tasks.py SESSION TASKS`.

Each writes two messages and a value of the state together, in one transaction. Tasks that meet share a commit.
"""

from __future__ import annotations

import asyncio
import sys

import retoma.aio


async def visit(session: retoma.aio.AsyncSession, number: int) -> None:
    async with session.batch() as batch:
        batch.append("user", f"Is page {number} there?")
        batch.append("assistant", "It is.", sender=f"task-{number}")
        batch.state[f"page {number}"] = "there"


async def main(name: str, tasks: int) -> None:
    async with retoma.aio.open() as client:
        session = await client.get_or_create(name, title="Pages of a site")
        await asyncio.gather(*(visit(session, number) for number in range(1, tasks + 1)))
        pages = await session.state.copy()
        print(f"{session.id}: {session.message_count} messages, {len(pages)} pages")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
