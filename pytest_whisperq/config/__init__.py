"""What a user types, and what it resolves to."""
