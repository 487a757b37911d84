"""A backend without a model: it says what a script says. For tests of gates, of CI wiring, of reports.

The "model" is a directory with ``scripted.json``: precision → audio digest → text, or ``[text, language]`` where the
detected language shall differ from the one it is told. A clip the script does not know is an error, and a text of null
makes the transcriber fail, so that failures can be rehearsed too.

A precision may have ``"seconds": {"encoder": S, "token": S}``, which its stages then take; a clip says as many tokens
as its text has words.

Asked to translate, it says what ``"translations": {DIGEST: TEXT}`` of a precision has.

With times, a clip is one segment of words of half a second each; a word may say when it begins (``two@1.5``).
"""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_whisperq.backends import Backend, Calibration, Clip, Hypothesis, ReadyMade, Segment, TimedText, TimedWord
from pytest_whisperq.speech import audio
from pytest_whisperq.system.errors import BuildError, DecodeError
from pytest_whisperq.system.files import first_line


class ScriptedBackend(Backend):
    """Plays back hypotheses."""

    name = "scripted"
    precisions: Mapping[str, str] = MappingProxyType({"float32": "float32", "int8": "int8", "int4-sym": "int4"})
    recommended = "int8"
    weights = ("scripted.json",)
    in_all = False

    def build(self, precision: str, source: Path, directory: Path, calibration: Calibration | None) -> None:
        """Keep the part of the script that belongs to ``precision``.

        Raises `BuildError` without a script, or without that part.
        """
        script = source / "scripted.json"
        if not script.is_file():
            raise BuildError(
                f"{source} has no scripted.json; the scripted backend plays back a script", remedy="add one"
            )
        precisions = _read(script)
        if not isinstance(precisions, dict) or not isinstance(precisions.get(precision), dict):
            raise BuildError(
                f"has no table of texts for precision {precision!r}", where=str(script), remedy="add it to the script"
            )
        shutil.copyfile(script, directory / "scripted.json")

    def look(self, directory: Path) -> ReadyMade | None:
        """Return the precisions that the script in a folder has texts of; see `RunsReadyMade`."""
        path = directory / "scripted.json"
        script = _read(path) if path.is_file() else None
        known = {name: self.precisions[name] for name in script or () if name in self.precisions}
        return ReadyMade(directory=directory, precisions=known, files=(path.name,)) if known else None

    def load(self, precision: str, directory: Path, threads: int) -> "ScriptedTranscriber":
        """Load the script of one precision."""
        script = json.loads((directory / "scripted.json").read_text(encoding="utf-8"))
        return ScriptedTranscriber(script[precision], self.precisions[precision])


def _read(script: Path) -> Any:
    try:
        return json.loads(script.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BuildError(f"is no JSON ({first_line(error)})", where=str(script), remedy="write it anew") from error


class ScriptedTranscriber:
    """Looks every clip up by its audio digest."""

    def __init__(self, texts: Mapping[str, Any], compute_type: str) -> None:
        self._texts = texts
        self._seconds: Mapping[str, float] = texts.get("seconds", {})
        self.compute_type = compute_type

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Return the scripted text of each clip.

        Raises `DecodeError` for a clip that the script does not know, and where its text is null.
        """
        return self._say(clips, self._texts)

    def translate(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Return the scripted translation of each clip; raises as `transcribe` does."""
        return self._say(clips, self._texts.get("translations", {}))

    def _say(self, clips: Sequence[Clip], texts: Mapping[str, Any]) -> list[Hypothesis]:
        hypotheses = []
        for clip in clips:
            entry = texts.get(audio.pcm_digest(clip.samples))
            if entry is None:
                raise DecodeError(
                    "the script has no text for this clip", remedy="add its audio digest to scripted.json"
                )
            text, language = (entry, clip.language) if isinstance(entry, str) else entry
            tokens = tuple(range(len(text.split())))
            hypotheses.append(Hypothesis(text=text, tokens=tokens, language=language))
            self.replay(self.encode(clip), clip, tokens)
        return hypotheses

    def prepare(self, clip: Clip) -> Clip:
        """Return the clip; see `Staged`."""
        return clip

    def encode(self, features: Clip) -> Clip:
        """Take the time of an encoder; see `Staged`."""
        self._take(self._seconds.get("encoder", 0.0))
        return features

    def replay(self, encoded: Clip, clip: Clip, tokens: Sequence[int]) -> None:
        """Take the time of a decoder; see `Staged`."""
        self._take(len(tokens) * self._seconds.get("token", 0.0))

    @staticmethod
    def _take(seconds: float) -> None:
        if seconds:
            time.sleep(seconds)

    def transcribe_timed(self, clips: Sequence[Clip]) -> list[TimedText]:
        """Return the scripted words of each clip with their times, all in one segment."""
        return [_timed(hypothesis.text) for hypothesis in self.transcribe(clips)]


def _timed(script: str) -> TimedText:
    words: list[TimedWord] = []
    for number, entry in enumerate(script.split()):
        text, _, stated = entry.partition("@")
        start = float(stated) if stated else 0.5 * number
        words.append(TimedWord(start=start, end=start + 0.5, text=text))
    if not words:
        return TimedText(segments=())
    transcript = " ".join(word.text for word in words)
    return TimedText(segments=(Segment(start=words[0].start, end=words[-1].end, text=transcript),), words=tuple(words))
