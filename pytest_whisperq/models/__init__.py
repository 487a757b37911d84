"""Checkpoints: where they are, what they were taught, what is built of them and kept."""
