"""What the crash tests share: a line that is told at the end of the run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conftest import SAID


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say a line at the end of the run: trials, seed, losses."""
    return request.config.stash[SAID].append
