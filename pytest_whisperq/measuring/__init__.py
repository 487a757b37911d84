"""From transcripts to figures: error rates, agreement, and the intervals that say how far to trust them."""
