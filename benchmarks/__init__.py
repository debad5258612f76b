"""How fast Retoma is, each measure against a baseline in the same run."""
