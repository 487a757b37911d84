"""Recordings with what is said in a file beside them: ``call1.wav`` and ``call1.txt``, or subtitles with times."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from pytest_whisperq.speech.corpus.files import AUDIO_SUFFIXES, files_in, listed, read_text, recordings_in
from pytest_whisperq.speech.corpus.layouts.subtitles import read_subtitles
from pytest_whisperq.speech.corpus.layouts.textgrid import read_textgrid
from pytest_whisperq.speech.corpus.layouts.timed import Timed
from pytest_whisperq.speech.corpus.layouts.unlisted import note_unused
from pytest_whisperq.speech.corpus.manifest import METADATA_NAMES
from pytest_whisperq.speech.corpus.reading import Reading, Row, Unusable, collect
from pytest_whisperq.speech.corpus.types import Utterance
from pytest_whisperq.system.files import followed

_TIERS = ".textgrid"
_TIMED: dict[str, Callable[[Path, Reading], list[Timed]]] = {
    ".srt": read_subtitles,
    ".vtt": read_subtitles,
    _TIERS: read_textgrid,
}
SIDECAR_SUFFIXES = (".txt", ".lab", *_TIMED)
"""Names of files with what is said end so, in any case."""


def has_sidecars(folder: Path) -> bool:
    """Whether any recording in a folder or below has a text beside it."""
    texts = _Texts.beside(folder)
    return any(_place(path) in texts.free for path in files_in(folder) if path.suffix.lower() in AUDIO_SUFFIXES)


def read_sidecars(folder: Path, reading: Reading) -> Sequence[Utterance]:
    """Read a folder of recordings and what is below it. A recording without a transcript raises `CorpusError`."""
    root = folder.resolve()
    texts = _Texts.beside(root)
    has_tiers = any(path.suffix.lower() == _TIERS for paths in texts.free.values() for path in paths)
    utterances = collect(_rows(root, texts, reading), root, reading, takes_text=has_tiers)
    unused = [path for paths in texts.free.values() for path in paths]
    note_unused(unused, root, reading, "no recording lies beside", "text file")
    return utterances


class _Texts(NamedTuple):
    """The texts in a folder by the place of a recording without its ending, and who has taken them."""

    free: dict[tuple[Path, str], list[Path]]
    taken: dict[tuple[Path, str], Path]

    @staticmethod
    def beside(folder: Path) -> "_Texts":
        found: dict[tuple[Path, str], list[Path]] = {}
        for path in files_in(folder):
            if path.suffix.lower() in SIDECAR_SUFFIXES:
                found.setdefault(_place(path), []).append(path)
        return _Texts(found, {})


def _place(path: Path) -> tuple[Path, str]:
    return path.parent, normalize("NFC", path.stem)


def _rows(folder: Path, texts: _Texts, reading: Reading) -> Iterator[Row]:
    for path in recordings_in(folder, reading.on_error):
        place = _place(path)
        beside = texts.free.pop(place, [])
        if place in texts.taken:
            other = texts.taken[place]
            what = f"shares its transcript with {other.name}, and one recording must not count twice"
            yield Row(str(path), Unusable(what, "remove or rename one of them"))
            continue
        texts.taken[place] = path
        if len(beside) == 1 and not _may_read(beside[0], folder, reading.choices.root):
            what = f"{beside[0].name} is a link out of {folder}"
            yield Row(str(path), Unusable(what, "name a folder around both with --whisperq-corpus-root"))
        elif len(beside) == 1:
            yield from _said(path.relative_to(folder).as_posix(), beside[0], reading)
        elif beside:
            names = listed([one.name for one in sorted(beside)])
            yield Row(str(path), Unusable(f"has several transcripts ({names})", "keep the one that people checked"))
        else:
            yield Row(str(path), Unusable("has no transcript", _remedy(path)))


def _may_read(path: Path, folder: Path, wider: Path | None) -> bool:
    target = followed(path)
    return target.is_relative_to(folder) or (wider is not None and target.is_relative_to(wider))


def _remedy(path: Path) -> str:
    return (
        f"write what is said in it to {path.with_suffix('.txt').name} beside it ({', '.join(SIDECAR_SUFFIXES[1:])} do, "
        f"too), or list the folder's recordings in {METADATA_NAMES[0]} (file_name,text)"
    )


def _said(name: str, beside: Path, reading: Reading) -> Iterator[Row]:
    """Yield what a text says of a recording: all of it, or a row for each time."""
    suffix = beside.suffix.lower()
    if suffix in _TIMED:
        for timed in _TIMED[suffix](beside, reading):
            span = {"offset": timed.begin, "duration": round(timed.end - timed.begin, 6)}
            yield Row(f"{beside}:{timed.line}", {"file_name": name, "text": timed.text, **span})
        return
    text = read_text(beside)
    lines = [line.split() for line in text.split("\n") if line.strip()]
    if suffix == ".lab" and lines and all(len(line) > 2 and line[0].isdigit() and line[1].isdigit() for line in lines):
        yield Row(str(beside), Unusable("holds labels of HTK, times and phones, and no transcript", "write the text"))
        return
    yield Row(str(beside), {"file_name": name, "text": " ".join(text.split()) if suffix == ".lab" else text})
