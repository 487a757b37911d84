"""From models and recordings to transcripts, each made once and kept."""
