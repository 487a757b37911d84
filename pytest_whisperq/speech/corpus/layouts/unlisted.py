"""What lies in the folder of a corpus and belongs to no utterance."""

from collections.abc import Collection, Iterable
from pathlib import Path

from pytest_whisperq.speech.corpus.files import listed, recordings_in
from pytest_whisperq.speech.corpus.reading import Reading
from pytest_whisperq.speech.corpus.types import Utterance
from pytest_whisperq.system.keys import Names


def note_unlisted(folder: Path, utterances: Iterable[Utterance], reading: Reading, kept_in: str) -> None:
    """Note the recordings of a folder that no row names; ``kept_in`` says where rows are."""
    known = Names(item.audio.file for item in utterances if item.audio.file)
    note_unused(
        recordings_in(folder, reading.on_error, known),
        folder,
        reading,
        f"no row in {kept_in} names",
        "recording",
    )


def note_unused(paths: Collection[Path], folder: Path, reading: Reading, why: str, what: str) -> None:
    """Note files of a folder that were not read, and why."""
    if paths:
        names = listed([path.relative_to(folder).as_posix() for path in sorted(paths)])
        reading.note(f"{why} {len(paths)} {what}{'' if len(paths) == 1 else 's'} ({names})")
