"""The saved document of a run, and what changed between two of them."""
