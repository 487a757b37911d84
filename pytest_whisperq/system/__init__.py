"""What the rest stands on: errors, files, libraries that may be missing, this machine, and what may be shown of it."""
