"""What holds for one invocation, and where each value came from.

A value comes from, the later over the earlier: the `retoma.toml` of the user's configuration directory, the nearest
one from the working directory upwards, `RETOMA_*` variables, options.
"""

from __future__ import annotations

from retoma.config.environment import Environment, read_environment, working_directory
from retoma.config.place import StorePlace
from retoma.config.settings import Settings, find_store, load_settings

__all__ = [
    "Environment",
    "Settings",
    "StorePlace",
    "find_store",
    "load_settings",
    "read_environment",
    "working_directory",
]
