"""The same work on the session stores of other programs, where they are installed."""
