"""What every stage does with files: digest one, and replace one so that a reader never sees half of it."""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from pytest_whisperq.system.errors import ConfigError, StoreError

BUILDING = ".build-"
"""What the name of a folder begins with that is being filled."""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_disk(path: Path) -> None:
    """Have a file's bytes on the disk when this returns: a rename may be there sooner than what it names."""
    with path.open("r+b" if os.name == "nt" else "rb") as file:  # Windows flushes only what may be written
        os.fsync(file.fileno())


def link(source: Path, target: Path) -> None:
    """Make ``target`` a link to the file ``source``, or a copy where the system allows no links."""
    try:
        target.symlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def share_files(source: Path, directory: Path) -> None:
    """Give the files of a folder a second name in ``directory``, or copy them where the system allows no hard links."""
    for path in source.iterdir():
        try:
            os.link(path, directory / path.name)
        except OSError:
            shutil.copyfile(path, directory / path.name)


def user_path(text: str, option: str) -> Path:
    """Return the path a user typed, ``~`` expanded; raise `ConfigError` naming ``option`` for one that cannot be."""
    if "\0" in text:
        raise ConfigError(f"{text!r} cannot be a file name", where=option, remedy="correct the path")
    try:
        path = Path(text).expanduser()
        path.exists()
    except RuntimeError as error:
        raise ConfigError(
            f"{text!r} names the home of a user who does not exist", where=option, remedy="write the path in full"
        ) from error
    except OSError as error:  # a name that is too long, or a folder that one may not enter
        raise ConfigError(
            f"{text!r} cannot be looked at: {error.strerror or error}", where=option, remedy="name another place"
        ) from error
    return path


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, or its class where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def followed(path: Path) -> Path:
    """Return what a path leads to when all links are followed; a link in a circle stays what it is."""
    return Path(os.path.realpath(path))


def refuse_special(path: Path, option: str) -> None:
    """Raise `ConfigError` where ``path``, links followed, is a device, a pipe, a socket or a circle of links.

    A file would take its place.
    """
    target = followed(path)
    if target.is_symlink() or (target.exists() and not (target.is_file() or target.is_dir())):
        raise ConfigError(f"{path} is no regular file", where=option, remedy="name one, or a place for a new one")


def replace_text(path: Path, text: str | Iterable[str], option: str | None = None) -> None:
    """Write ``text``, or its parts, to ``path`` atomically: beside it first, to disk, then renamed over it.

    Of a link, the file that it leads to is replaced; an old file's permissions stay.

    Raises `StoreError` when the directory is full or read-only, `ConfigError` for what is no regular file; it still
    stands then. ``option`` is what named the file, where it was not the cache directory.
    """
    if option is not None:
        refuse_special(path, option)
    try:
        target = followed(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = stat.S_IMODE(target.stat().st_mode) if target.is_file() else 0o644
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.writelines([text] if isinstance(text, str) else text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(mode)  # mkstemp's 0600 would hide a shared cache from everyone else
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise cache_error(path.parent, error) if option is None else output_error(path, option, error) from error


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it; of a link, the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def publish_folder(target: Path, *, is_locked: bool = False) -> Iterator[Path]:
    """Give an empty folder beside ``target`` to fill, and put it there when the block ends: whole, or not at all.

    Of a link, the folder that it leads to is replaced. What stood there before still stands where the block raises.
    ``is_locked`` says that nobody else writes this target now: what a killed process left behind is removed then.
    """
    target = followed(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if is_locked:
        for left_over in target.parent.glob(f"{BUILDING}{escape(target.name)}-*"):
            shutil.rmtree(left_over, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f"{BUILDING}{target.name}-"))
    old = aside.with_name(f"{aside.name}_old")
    try:
        aside.chmod(0o755)  # mkdtemp's 0700 would hide a shared cache from everyone else
        yield aside
        if target.exists():
            target.rename(old)
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        if old.exists() and not target.exists():
            old.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def output_error(path: Path, option: str, error: OSError) -> StoreError:
    """Return the one message for a file or folder that ``option`` names and that cannot be written."""
    return StoreError(
        f"cannot write {path}: {error.strerror or error}", where=option, remedy="free some space or name another place"
    )


def system_error(error: OSError) -> StoreError:
    """Return the message for a file that the system refuses, where nobody knows what it was to be used for."""
    advice = "check the name, the permissions of the file and its folders, and the room on its disk"
    return StoreError(
        error.strerror or f"{type(error).__name__}: {error}",
        where=str(error.filename or ""),
        remedy=advice if error.errno else "",  # else it is no file's, such as a TimeoutError
    )


def cache_error(directory: Path, error: OSError) -> StoreError:
    """Return the one message for a cache directory that cannot be used."""
    return StoreError(
        f"cannot write to the cache directory {directory}: {error.strerror or error}",
        remedy="free some space or name another directory with --whisperq-cache-dir",
    )
