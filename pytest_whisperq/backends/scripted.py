"""A backend without a model: it says what a script says. For tests of gates, of CI wiring, of reports.

The "model" is a directory with ``scripted.json``: precision → audio digest → text, or ``[text, language]`` where the
detected language shall differ from the one it is told. A clip the script does not know is an error, and a text of null
makes the transcriber fail, so that failures can be rehearsed too.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from pytest_whisperq.audio import pcm_digest
from pytest_whisperq.backends import Backend, Calibration, Clip, Hypothesis
from pytest_whisperq.errors import BuildError, DecodeError


class ScriptedBackend(Backend):
    """Plays back hypotheses."""

    name = "scripted"
    extra = "test"
    precisions: Mapping[str, str] = MappingProxyType({"float32": "float32", "int8": "int8", "int4-sym": "int4"})
    recommended = "int8"
    weights = ("scripted.json",)
    in_all = False

    def build(self, precision: str, source: Path, directory: Path, calibration: Calibration | None) -> None:
        """Keep the part of the script that belongs to ``precision``."""
        script = source / "scripted.json"
        if not script.is_file():
            raise BuildError(f"{source} has no scripted.json; the scripted backend plays back a script")
        if precision not in json.loads(script.read_text(encoding="utf-8")):
            raise BuildError(f"{script} has no entry for precision {precision!r}")
        shutil.copyfile(script, directory / "scripted.json")

    def load(self, precision: str, directory: Path, threads: int) -> "ScriptedTranscriber":
        """Load the script of one precision."""
        script = json.loads((directory / "scripted.json").read_text(encoding="utf-8"))
        return ScriptedTranscriber(script[precision], self.precisions[precision])


class ScriptedTranscriber:
    """Looks every clip up by its audio digest."""

    def __init__(self, texts: Mapping[str, str | list[str] | None], compute_type: str) -> None:
        self._texts = texts
        self.compute_type = compute_type

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Return the scripted text of each clip."""
        found = []
        for clip in clips:
            said = self._texts.get(pcm_digest(clip.samples))
            if said is None:
                raise DecodeError("the script has no text for this clip; add its audio digest to scripted.json")
            text, language = (said, clip.language) if isinstance(said, str) else said
            found.append(Hypothesis(text=text, language=language))
        return found
