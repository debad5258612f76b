"""The Python face. `Calls` has a method for each use case, by id; the public `Client` goes through it."""

from __future__ import annotations

from retoma.client.calls import Calls, client_at, open_client

__all__ = ["Calls", "client_at", "open_client"]
