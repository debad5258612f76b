"""The one list of everything that can be done: a command is its arguments by name, and what it does.

Every face parses into a command and shows its result. Commands are in a file for each noun; each is imported where it
is used.
"""
