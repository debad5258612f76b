"""Programs as tools: the allow-list that names them, and how one is called. Flows use them, and agents will."""
