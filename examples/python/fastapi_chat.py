"""A chat over HTTP: `uvicorn fastapi_chat:app`. Posts to one conversation are answered one after the other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Body, FastAPI

import retoma.aio
from retoma.types import Message

clients: list[retoma.aio.AsyncClient] = []


@asynccontextmanager
async def opened(app: FastAPI) -> AsyncIterator[None]:
    async with retoma.aio.open() as client:
        clients[:] = [client]
        yield


app = FastAPI(lifespan=opened)


async def answer(messages: list[Message]) -> str:
    return f"You said: {messages[-1].text}"  # here your program asks its model


@app.post("/chats/{id}")
async def post(id: str, text: str = Body(embed=True)) -> list[Message]:
    session = await clients[0].get_or_create(id)
    async with session.lease(wait="1m"):
        await session.append("user", text)
        await session.append("assistant", await answer(await session.messages(last=20)))
        return await session.messages(last=2)


@app.get("/chats/{id}")
async def read(id: str, last: int = 50, before: int | None = None) -> list[Message]:
    return await (await clients[0].session(id)).messages(last=last, before=before)
