"""Waiting for a line: what interrupts it is not missed."""

from __future__ import annotations

import signal
import time

import pytest

from retoma.interfaces.cli.keyboard import timed
from retoma.interfaces.cli.lines import TimedOut


def test_a_time_out_that_came_too_early_to_wake_the_reader_comes_again():
    with pytest.raises(TimedOut), timed(0.02):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        try:
            signal.sigwait({signal.SIGALRM})  # taken, and nobody was told
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        time.sleep(5)


def test_a_wait_without_end_looks_for_ctrl_c_now_and_then():
    with timed(None):
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[1] <= 0.5
        time.sleep(0.6)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
