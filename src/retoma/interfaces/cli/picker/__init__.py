"""The full-screen picker: a list of sessions, a search, a preview. It draws with textual."""
