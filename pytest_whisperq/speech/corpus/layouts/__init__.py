"""How speech data lies about: a file for each family of layouts, and `registry` that tells them apart."""
