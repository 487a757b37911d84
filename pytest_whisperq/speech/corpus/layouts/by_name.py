"""Recordings that a layout names without their ending."""

from pathlib import Path
from unicodedata import normalize

from pytest_whisperq.speech.corpus.files import recordings_in
from pytest_whisperq.speech.corpus.reading import Unusable


class RecordingsByName:
    """The recordings in a folder and below, by their names without ending; paths are relative to ``root``."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._paths: dict[str, list[str]] = {}
        for path in recordings_in(folder):
            self._paths.setdefault(normalize("NFC", path.stem), []).append(path.relative_to(root).as_posix())

    def find(self, name: str) -> str | Unusable:
        """Return the only recording of that name; else what is wrong."""
        paths = self._paths.get(normalize("NFC", name), [])
        if len(paths) == 1:
            return paths[0]
        if paths:
            return Unusable(f"names {name!r}, which could be {' or '.join(paths)}", "keep one of them")
        return Unusable(f"names {name!r}, of which there is no recording", "add it to the folder, or remove this line")
