"""Subtitles: SubRip (``.srt``) and WebVTT (``.vtt``).

Source: https://www.w3.org/TR/webvtt1; SubRip has no standard, its times have a comma where WebVTT has a point.
"""

import html
import re
from pathlib import Path

from pytest_whisperq.speech.corpus.files import read_text
from pytest_whisperq.speech.corpus.layouts.timed import Timed
from pytest_whisperq.speech.corpus.reading import Reading
from pytest_whisperq.system.errors import CorpusError

_CLOCK = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
_TIMES = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?")
_MARKUP = re.compile(r"</?(?:[biuvc]|ruby|rt|lang|font)(?:[ .][^>]*)?>|<[\d:.]+>|\{\\[^}]*\}")
_NO_CUE = re.compile(r"(WEBVTT|NOTE|STYLE|REGION)(\s|$)")


def read_subtitles(path: Path, _: Reading) -> list[Timed]:
    r"""Return the cues of a file; raise `CorpusError` naming the line where a block is none.

    Marks of type and speaker go: ``<i>``, ``<v Anna>``, ``{\an8}``.
    """
    cues, block = [], list[tuple[int, str]]()
    for number, line in enumerate([*read_text(path).split("\n"), ""], start=1):
        if line.strip():
            block.append((number, line.strip()))
        elif block:
            if not _NO_CUE.match(block[0][1]):
                cues.append(_cue(block, path))
            block = []
    return cues


def _cue(block: list[tuple[int, str]], path: Path) -> Timed:
    """Read a cue: perhaps a number or name, then its times, then its text."""
    number, _ = block[0]
    for at, (line, text) in enumerate(block[:2]):
        if match := _TIMES.fullmatch(text):
            times = match.groups()
            begin, end = _seconds(times[:4]), _seconds(times[4:])
            if end <= begin:
                raise CorpusError("a cue ends before it begins", where=f"{path}:{line}", remedy="correct its times")
            said = " ".join(_MARKUP.sub("", one) for _, one in block[at + 1 :])
            return Timed(line, begin, end, " ".join(html.unescape(said).split()))
    raise CorpusError(
        "is no cue: its times are missing",
        where=f"{path}:{number}",
        remedy="write 00:01:02,500 --> 00:01:04,000",
    )


def _seconds(clock: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = clock
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction}")
