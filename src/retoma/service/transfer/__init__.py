"""Sessions out of a store and into one; one format a file."""
