"""Messages in the shapes of other interfaces: `load` makes what `append_many` takes, `dump` makes theirs again.

What `load` was given, `dump` gives back: where the parts of a message cannot say it, the difference is kept beside
them in an `Opaque` part. `dump` also takes messages that were not loaded, and those of the other interface.
"""

from __future__ import annotations

from retoma.shapes import anthropic, openai

__all__ = ["anthropic", "openai"]
