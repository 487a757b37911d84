"""Recordings and their transcripts: audio, corpora, and the normalizers under which texts are compared."""
