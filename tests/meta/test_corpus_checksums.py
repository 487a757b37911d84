"""`fixtures/audio/SHA256SUMS` says what is there, as `sha256sum -c` would read it."""

import hashlib
from pathlib import Path

AUDIO = Path(__file__).parents[2] / "fixtures" / "audio"


def test_every_file_of_the_corpus_has_its_checksum() -> None:
    listed = dict(
        reversed(line.split("  ", 1)) for line in (AUDIO / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    )
    files = {path.relative_to(AUDIO).as_posix(): path for path in AUDIO.rglob("*") if path.is_file()}
    del files["SHA256SUMS"]
    assert listed == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
