"""Results as plain data: what `json` and web frameworks take."""

from __future__ import annotations

from collections.abc import KeysView
from typing import Any

from retoma.model.codec import JsonField, decode, encode


class Plain:
    """A result that converts to plain data. pydantic takes it in models and responses."""

    __slots__ = ()

    def _plain(self) -> object:
        """Return what `--json` prints of it."""
        return self

    def to_dict(self) -> dict[str, JsonField]:
        """Return it as `--json` prints it: dictionaries, lists, texts, numbers, true, false and None.

        >>> session.to_dict()["title"]
        'A demonstration'
        """
        found: Any = decode(encode(self._plain()))
        return dict(found)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> object:
        from pydantic_core import core_schema

        plain = core_schema.plain_serializer_function_ser_schema(cls.to_dict)
        return core_schema.is_instance_schema(cls, serialization=plain)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: object, handler: object) -> dict[str, str]:
        return {"type": "object", "title": cls.__name__}


class Mapped(Plain):
    """A result that `dict()` and FastAPI also take as a mapping of what `to_dict` returns."""

    __slots__ = ()

    def keys(self) -> KeysView[str]:
        """Return the names of its values, as `--json` has them.

        >>> "title" in session.keys()
        True
        """
        return self.to_dict().keys()

    def __getitem__(self, name: str) -> JsonField:
        return self.to_dict()[name]
