"""Where the recording of a row lies: within the folder of its corpus, or within a wider one that the user names."""

import os
from functools import lru_cache
from pathlib import Path
from stat import S_ISLNK, S_ISREG
from unicodedata import normalize

from pytest_whisperq.speech.corpus.files import names_in
from pytest_whisperq.system.errors import CorpusError


def locate(name: str, where: str, root: Path, wider: Path | None) -> tuple[str, str]:
    """Return the recording that ``name`` means in ``root``, or else in ``wider``, and what to call it.

    Raises `CorpusError`, which names ``where``, for what is no file name, lies outside of both, or is not there.
    """
    if (usual := _usual(name, root)) and _is_regular(usual[0]):
        return usual
    try:
        spelled, path = _found(name, root, wider)
        exists = path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, not encodable, a loop of links
        raise CorpusError(
            f"{name[:80]!r} cannot be a file name ({error})", where=where, remedy="correct the path"
        ) from error
    if not path.is_relative_to(root) and not (wider and path.is_relative_to(wider)):
        raise CorpusError(
            f"{name!r} lies outside the corpus folder {root}",
            where=where,
            remedy="copy the recording into it, or name a folder around both with --whisperq-corpus-root",
        )
    if not exists:
        remedy = "correct the path or add the file"
        if (root / name).is_symlink():
            remedy = "it is a link to what is not there: fetch it (git annex get, dvc pull, huggingface-cli download)"
        raise CorpusError(f"the audio file {name!r} does not exist in {root}", where=where, remedy=remedy)
    return str(path), _label(path, root / spelled, root, wider)


@lru_cache(maxsize=64)  # segments of one recording follow each other, and share these two texts
def _usual(name: str, root: Path) -> tuple[str, str] | None:
    """Return the path and label of ``name`` where it is a file itself, in ``root``; None where it cannot be.

    `_found` and `_label` say the same of it, in ten times the time.
    """
    folder, base = os.path.split(name)
    if base in ("", ".", "..") or not (within := _folder_within(folder, root)):
        return None
    path, label = within
    return path + base, label + base


@lru_cache(maxsize=64)
def _folder_within(name: str, root: Path) -> tuple[str, str] | None:
    """Return how paths and labels of what is in a folder begin, without links; None for one that is not in ``root``."""
    try:
        folder = _resolved_folder(root / name)
        inner = folder.relative_to(root).as_posix()
    except (OSError, ValueError, RuntimeError):
        return None
    return os.path.join(folder, ""), "" if inner == "." else f"{inner}/"


def _is_regular(path: str) -> bool:
    """Whether there is a file at a path, and no link."""
    try:
        return S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def _label(path: Path, linked: Path, root: Path, wider: Path | None) -> str:
    """Return the name of a recording in the folder of its corpus: that of the link where the file lies elsewhere."""
    own = Path(os.path.normpath(linked))
    for name, folder in ((path, root), (own, root), (path, wider or root)):
        if name.is_relative_to(folder):
            return name.relative_to(folder).as_posix()
    return path.as_posix()


def _found(name: str, root: Path, wider: Path | None) -> tuple[str, Path]:
    """Return a name as the disk spells it, with its path: as it is typed, else composed otherwise or with slashes."""
    for folder in (root, wider) if wider else (root,):
        for spelled in dict.fromkeys((name, name.replace("\\", "/"))):
            path = _resolved(folder / spelled)
            if path.is_file():
                return spelled, path
            if not path.is_relative_to(folder):
                continue
            at = folder
            for part in path.relative_to(folder).parts:
                at /= names_in(at).get(normalize("NFC", part), part)
            if at.is_file():
                return str(at.relative_to(folder)), _resolved(at)
    return name, _resolved(root / name)


def _resolved(path: Path) -> Path:
    """Return what ``Path.resolve`` does, but look at a folder once, not once for each of a million recordings in it."""
    whole = _resolved_folder(path.parent) / path.name
    try:
        is_link = S_ISLNK(whole.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        is_link = False
    return path.resolve() if path.name == ".." or is_link else whole


@lru_cache(maxsize=64)
def _resolved_folder(path: Path) -> Path:
    """Return a folder without links."""
    return path.resolve()


def forget_folders() -> None:
    """Look at folders again: whoever reads a corpus does this first."""
    for kept in (_resolved_folder, _folder_within, _usual):
        kept.cache_clear()
