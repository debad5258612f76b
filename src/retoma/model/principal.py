"""Who asks. Every use case takes one, and every statement is bound to its tenant."""

from __future__ import annotations

from typing import Literal

import msgspec

from retoma.errors import Refused
from retoma.model.ids import TenantKey


class Principal(msgspec.Struct, frozen=True):
    """A person or program of one tenant. `name` is what the journal records as the actor."""

    tenant: TenantKey
    name: str
    role: Literal["read", "write", "admin"] = "admin"

    def may_write(self) -> None:
        """Raise Refused when this principal only reads."""
        if self.role == "read":
            raise Refused(f"{self.name} may read this store, but not write to it.", code="read_only")


LOCAL_TENANT = TenantKey(1)
"""The tenant of a store's owner; the first migration makes it."""
