"""One small class a store: how it appends a message, reads a conversation and lists sessions.

Each is used as its own documentation shows, with its own defaults; what it promises on a power cut differs.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

SESSION = "measured"


class Peer(ABC):
    """A store under measurement, in a directory of its own. Modules are imported when one is made."""

    name = ""
    lists = True

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @abstractmethod
    def append(self, text: str) -> None:
        """Keep one more message of the measured session."""

    @abstractmethod
    def read(self) -> int:
        """Read the conversation and return how many messages it has."""

    def make(self, session: str) -> None:  # noqa: B027 - only where it lists
        """Make a session with one message, to be listed."""

    def listed(self) -> int:
        """Return how many of the newest 50 sessions a list gave."""
        return 0

    def close(self) -> None:  # noqa: B027 - not all have to
        """Let go of the store."""


class Retoma(Peer):
    name = "Retoma"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        from benchmarks.stores import opened, place_in

        self._client = opened(place_in(directory))
        self._session = self._client.create(SESSION)

    def append(self, text: str) -> None:
        self._session.append("user", text)

    def read(self) -> int:
        return len(self._session.messages())

    def make(self, session: str) -> None:
        self._client.create(session).append("user", "first")

    def listed(self) -> int:
        return len(self._client.list(limit=50))

    def close(self) -> None:
        self._client.close()


class OpenAIAgents(Peer):
    name = "OpenAI Agents SQLiteSession"
    lists = False  # it has no call for it

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        from agents.memory.sqlite_session import SQLiteSession

        self._loop = asyncio.Runner()
        self._session: Any = SQLiteSession(SESSION, directory / "agents.db")

    def append(self, text: str) -> None:
        self._loop.run(self._session.add_items([{"role": "user", "content": text}]))

    def read(self) -> int:
        return len(self._loop.run(self._session.get_items()))

    def close(self) -> None:
        self._session.close()
        self._loop.close()


class Adk(Peer):
    name = "Google ADK SqliteSessionService"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._loop = asyncio.Runner()
        self._service: Any = self._opened(directory)
        self._session = self._loop.run(self._created(SESSION))

    def _opened(self, directory: Path) -> object:
        from google.adk.sessions.sqlite_session_service import SqliteSessionService

        return SqliteSessionService(str(directory / "adk.db"))

    def append(self, text: str) -> None:
        self._loop.run(self._service.append_event(self._session, self._event(text)))

    def read(self) -> int:
        found = self._service.get_session(app_name="bench", user_id="ana", session_id=SESSION)
        return len(self._loop.run(found).events)

    def make(self, session: str) -> None:
        async def made() -> None:
            await self._service.append_event(await self._created(session), self._event("first"))

        self._loop.run(made())

    def listed(self) -> int:
        found = self._loop.run(self._service.list_sessions(app_name="bench", user_id="ana"))
        return len(sorted(found.sessions, key=lambda one: one.last_update_time)[-50:])

    def close(self) -> None:
        self._loop.close()

    async def _created(self, session: str) -> Any:
        return await self._service.create_session(app_name="bench", user_id="ana", session_id=session)

    def _event(self, text: str) -> object:
        from google.adk.events import Event
        from google.genai.types import Content, Part

        return Event(author="user", invocation_id="i", content=Content(role="user", parts=[Part(text=text)]))


class AdkDatabase(Adk):
    name = "Google ADK DatabaseSessionService"

    def _opened(self, directory: Path) -> object:
        from google.adk.sessions import DatabaseSessionService

        return DatabaseSessionService(db_url=f"sqlite+aiosqlite:///{directory / 'adk-database.db'}")


class Agno(Peer):
    name = "agno SqliteDb"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        from agno.db.base import SessionType
        from agno.db.sqlite import SqliteDb

        self._kind = SessionType.AGENT
        self._db: Any = SqliteDb(db_file=str(directory / "agno.db"))
        self._kept(SESSION)

    def append(self, text: str) -> None:
        self._db.upsert_run(self._run(text, SESSION), SESSION)

    def read(self) -> int:
        return len(self._db.get_session(SESSION, self._kind).runs)

    def make(self, session: str) -> None:
        self._kept(session)
        self._db.upsert_run(self._run("first", session), session)

    def listed(self) -> int:
        found = self._db.get_sessions(
            self._kind, limit=50, sort_by="updated_at", sort_order="desc", include_runs=False
        )
        return len(found)

    def _kept(self, session: str) -> None:
        from agno.session import AgentSession

        now = int(time.time())
        made = AgentSession(session_id=session, agent_id="a", runs=[], created_at=now, updated_at=now)
        self._db.upsert_session(made)

    def _run(self, text: str, session: str) -> object:
        from agno.models.message import Message
        from agno.run.agent import RunOutput

        return RunOutput(
            run_id=str(time.perf_counter_ns()),
            session_id=session,
            agent_id="a",
            messages=[Message(role="user", content=text)],
        )


class LangGraph(Peer):
    name = "LangGraph SqliteSaver"
    lists = False  # its list is of checkpoints

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        import sqlite3

        from langgraph.checkpoint.sqlite import SqliteSaver
        from langgraph.graph import START, MessagesState, StateGraph

        self._connection = sqlite3.connect(str(directory / "langgraph.db"), check_same_thread=False)
        graph = StateGraph(MessagesState)
        graph.add_node("said", lambda state: {})
        graph.add_edge(START, "said")
        self._graph: Any = graph.compile(checkpointer=SqliteSaver(self._connection))
        self._config = {"configurable": {"thread_id": SESSION}}

    def append(self, text: str) -> None:
        self._graph.invoke({"messages": [("user", text)]}, self._config)

    def read(self) -> int:
        return len(self._graph.get_state(self._config).values["messages"])

    def close(self) -> None:
        self._connection.close()


PEERS: tuple[type[Peer], ...] = (Retoma, OpenAIAgents, Agno, Adk, AdkDatabase, LangGraph)
