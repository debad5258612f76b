"""YAML and JSON that a person wrote, with the line of each value."""
