"""Praat's TextGrid, long or short: https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pytest_whisperq.speech.corpus.files import read_text
from pytest_whisperq.speech.corpus.layouts.timed import Timed
from pytest_whisperq.speech.corpus.reading import Reading
from pytest_whisperq.system.errors import CorpusError

_TOKEN = re.compile(r'"(?:[^"]|"")*"|<\w+>|(?<![\w.\[])-?\d+(?:\.\d*)?(?:e-?\d+)?(?![\w\]])')
_INDEX = re.compile(r"\[\d*\]")
_ALIGNED = re.compile(r"(.* - )?(words?|phones?|phonemes?)", re.IGNORECASE)
_INTERVALS = '"IntervalTier"'


class _Tier(NamedTuple):
    name: str
    spans: list[Timed]


def read_textgrid(path: Path, reading: Reading) -> list[Timed]:
    """Return what an interval tier says, empty intervals left out: silence is what Praat means by them.

    That is the only tier, less those of words and phones that aligners write, or the one that
    ``--whisperq-text-column`` names. Raises `CorpusError` for another file, and where several tiers could be meant.
    """
    try:
        tiers = list(_tiers(read_text(path)))
    except (StopIteration, ValueError, RuntimeError):  # a generator turns the first into the last
        raise CorpusError("is not a TextGrid of Praat", where=str(path), remedy="save it in Praat again") from None
    wanted = reading.choices.text_column
    chosen = [tier for tier in tiers if (tier.name == wanted if wanted else not _ALIGNED.fullmatch(tier.name))]
    if len(chosen) != 1:
        names = ", ".join(tier.name for tier in tiers) or "none"
        raise CorpusError(
            f"{'several tiers' if chosen else 'no tier'} could hold what is said (there are: {names})",
            where=str(path),
            remedy="name one with --whisperq-text-column",
        )
    return chosen[0].spans


def _tiers(text: str) -> Iterator[_Tier]:
    tokens = ((match.group(), match.start()) for match in _TOKEN.finditer(_INDEX.sub(_blank, text)))
    kind, what = next(tokens)[0], next(tokens)[0]
    if (kind, what) != ('"ooTextFile"', '"TextGrid"'):
        raise ValueError
    next(tokens), next(tokens)  # the times of all
    if next(tokens)[0] != "<exists>":
        return
    for _ in range(int(next(tokens)[0])):
        kind, name = next(tokens)[0], _quoted(next(tokens)[0])
        next(tokens), next(tokens)  # the times of the tier
        spans = []
        for _ in range(int(next(tokens)[0])):
            begin = float(next(tokens)[0])
            end = float(next(tokens)[0]) if kind == _INTERVALS else begin
            said, at = next(tokens)
            if words := " ".join(_quoted(said).split()):
                spans.append(Timed(text.count("\n", 0, at) + 1, begin, end, words))
        if kind == _INTERVALS:
            yield _Tier(name, spans)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())


def _quoted(token: str) -> str:
    if not token.startswith('"'):
        raise ValueError
    return token[1:-1].replace('""', '"')
