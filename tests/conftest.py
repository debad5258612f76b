"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import settings

# A busy machine makes one example slow, which says nothing about the code.
settings.register_profile("retoma", deadline=None, max_examples=100)
settings.load_profile("retoma")

# What the program says follows the language of whoever runs the tests.
os.environ["LC_ALL"] = "C.UTF-8"
