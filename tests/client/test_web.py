"""Results in a web program: FastAPI and pydantic take them, and posts that come at once wait for each other."""

from __future__ import annotations

import asyncio
import json
import runpy
from pathlib import Path

import httpx
import pydantic
from fastapi import FastAPI

import retoma
from retoma import types
from retoma.model.codec import encode

CHAT = Path(__file__).parents[2] / "examples/python/fastapi_chat.py"
POSTS = 20


def browser(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def test_a_chat_answers_posts_that_come_at_once_in_the_order_in_which_they_came(tmp_path, monkeypatch):
    assert len(CHAT.read_text(encoding="utf-8").splitlines()) < 40
    monkeypatch.setenv("RETOMA_STORE", str(tmp_path / "store"))
    app = runpy.run_path(str(CHAT))["app"]

    async def posted() -> list[httpx.Response]:
        async with app.router.lifespan_context(app), browser(app) as web:
            return await asyncio.gather(
                *(web.post("/chats/one", json={"text": f"post {n}"}) for n in range(POSTS)),
                *(web.post("/chats/two", json={"text": f"post {n}"}) for n in range(POSTS)),
            )

    answers = asyncio.run(posted())
    assert [one.status_code for one in answers] == [200] * 2 * POSTS
    for n, one in enumerate(answers):
        assert [said["text"] for said in one.json()] == [f"post {n % POSTS}", f"You said: post {n % POSTS}"]
    with retoma.open() as client:
        for id in ("one", "two"):
            said = [message.text for message in client.session(id).messages()]
            # Each post is followed by its answer, and none is missing.
            assert [f"You said: {text}" for text in said[::2]] == said[1::2]
            assert sorted(said[::2]) == sorted(f"post {n}" for n in range(POSTS))


def test_fastapi_returns_results_as_json_prints_them():
    app = FastAPI()
    with retoma.open(":memory:") as client:
        session = client.create("a", tags=["docs"])
        session.append("assistant", [types.Text("t"), types.ToolCall("1", "n", {"v": 1.5})], tokens_in=3)
        session.note("look")

        @app.get("/untyped")
        def untyped():
            return {
                "messages": session.messages(), "events": list(session.events()), "session": session,
                "page": client.list(), "found": client.search("t"), "notes": session.notes(),
                "usage": session.usage, "diff": client.diff("a", "a"), "check": client.check(),
            }  # fmt: skip

        @app.get("/typed")
        def typed() -> list[types.Message]:
            return session.messages()

        async def asked(*places: str) -> list[object]:
            async with browser(app) as web:
                return [(await web.get(place)).raise_for_status().json() for place in places]

        found, said, _ = asyncio.run(asked("/untyped", "/typed", "/openapi.json"))
        assert said == found["messages"]
        assert found["messages"] == json.loads(encode(session.messages()))
        assert found["events"] == json.loads(encode(list(session.events())))
        assert found["page"]["items"] == [session.to_dict()] == [found["session"]]
        assert found["session"]["tags"] == ["docs"]
        assert found["usage"]["tokens_in"] == 3
        assert found["check"]["whole"] is True


def test_pydantic_takes_results_into_models():
    class Reply(pydantic.BaseModel):
        message: types.Message
        usage: types.Usage

    with retoma.open(":memory:") as client:
        session = client.create("a")
        session.append("user", "Hello", metadata={"ip": "::1"})
        message = session.messages()[0]
        reply = Reply(message=message, usage=session.usage)
        assert reply.model_dump()["message"] == message.to_dict() == dict(message)
        assert json.loads(reply.model_dump_json())["message"]["metadata"] == {"ip": "::1"}
        assert Reply.model_json_schema()["type"] == "object"
