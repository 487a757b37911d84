"""Judgements as people read them."""
