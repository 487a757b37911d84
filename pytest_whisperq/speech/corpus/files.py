"""What lies in the folder of a corpus: its recordings, and its texts in whatever encoding says what it is."""

import codecs
import os
from collections.abc import Container, Iterator
from functools import lru_cache
from pathlib import Path
from unicodedata import normalize

from pytest_whisperq.speech.corpus.types import OnError, refuse
from pytest_whisperq.system.errors import CorpusError

AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".webm", ".aac"),
    *(".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".sph", ".amr", ".3gp", ".wma"),
    *(".mp4", ".m4b", ".mov", ".mka", ".mkv"),
)
"""Names of recordings end so, in any case; which of them can be decoded, `audio.load` finds out."""

_SHOWN = 3
_LEFTOVERS = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def is_visible(name: str) -> bool:
    """Whether a file or folder is meant to be seen: no dot file, and nothing that a file manager leaves behind.

    >>> is_visible("._call.wav"), is_visible("__MACOSX"), is_visible("call.wav")
    (False, False, True)
    """
    return not name.startswith(".") and name.casefold() not in _LEFTOVERS


def files_in(directory: Path) -> Iterator[Path]:
    """Yield the visible files in a folder and below. Folders that are linked are entered, each once."""
    return (Path(folder, name) for folder, name in _names_below(directory))


def _names_below(directory: Path) -> Iterator[tuple[str, str]]:
    entered = set[str]()
    for folder, folders, names in os.walk(directory, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = sorted(name for name in folders if is_visible(name)) if real not in entered else []
        if real not in entered:
            yield from ((folder, name) for name in names if is_visible(name))
        entered.add(real)


def recordings_in(directory: Path, on_error: OnError = refuse, known: Container[str] = ()) -> list[Path]:
    """Return the recordings in a folder and below, by their names; a name that is not UTF-8 raises `CorpusError`.

    Or, told to ``on_error``, it is left out, as are those ``known`` by their paths without links.
    """
    paths = []
    real = lru_cache(maxsize=64)(os.path.realpath)

    def unknown() -> Iterator[str]:
        for folder, name in _names_below(directory):
            if _is_audio(name) and os.path.join(real(folder), name) not in known:
                yield os.path.join(folder, name)

    for place in sorted(unknown(), key=lambda one: one.split(os.sep)):
        if not _is_utf8(place) and not _is_utf8(within := str(Path(place).relative_to(directory))):
            on_error(CorpusError(f"the name {within!a} is not UTF-8", where=str(directory), remedy="rename it"))
        elif os.path.realpath(place) not in known:
            paths.append(Path(place))  # what is known has no links: only what is not found by its name can be one
    return paths


def _is_audio(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=64)
def names_in(folder: Path) -> dict[str, str]:
    """Return the names in a folder by their composed form (NFC); empty for what is no folder.

    macOS writes names decomposed that manifests have composed. Whoever reads a corpus clears this first.
    """
    try:
        return {normalize("NFC", name): name for name in os.listdir(folder)}
    except OSError:
        return {}


def listed(names: list[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def read_text(path: Path) -> str:
    """Return the text of a file, in UTF-8 or, where a byte order mark says so, UTF-16; lines end in a line feed.

    Raises `CorpusError` naming file and line where it is neither.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    try:
        text = data.decode("utf-16" if data.startswith(_WIDE) else "utf-8-sig")  # spreadsheets export either mark
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CorpusError("is not UTF-8 text", where=f"{path}:{line}", remedy="save the file as UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of a file without their ends, one by one, and raise as `read_text` does, which reads all."""
    try:
        with path.open("rb") as file:
            encoding = "utf-16" if file.read(2) in _WIDE else "utf-8-sig"
        with path.open(encoding=encoding) as text:
            for line in text:
                yield line.removesuffix("\n")
    except (OSError, UnicodeDecodeError):
        read_text(path)  # says in which line
        raise
