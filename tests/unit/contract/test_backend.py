"""The contract finds what it is there to find: each check fails on a backend with its one planted defect."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from pytest_whisperq.backends import Backend, Calibration, Clip, Hypothesis, check_precision
from pytest_whisperq.contract import BACKEND_CHECKS, ContractError, Subject
from pytest_whisperq.contract import backend as checks

CLIPS = [Clip(samples=np.full(16_000 + n, 0.1, np.float32), language="en") for n in range(4)]


class Counting(Backend):
    """Says how long a clip is; sound, until a defect is planted."""

    name = "counting"
    precisions: Mapping[str, str] = {"int8": "int8"}
    recommended = "int8"
    weights = ("weights",)
    defect = ""

    def build(self, precision: str, source: Path, directory: Path, calibration: Calibration | None) -> None:
        if self.defect not in ("unknown to build", "late refusal"):
            check_precision(self, precision)
        if self.defect == "late refusal" and precision not in self.precisions:
            raise ZeroDivisionError
        builds = len(list(directory.parent.iterdir()))  # folders so far
        text = {"build": f"{builds}", "move": str(directory), "source": str(source)}.get(self.defect, "same")
        (directory / "weights").write_text(text)

    def load(self, precision: str, directory: Path, threads: int) -> "Counter":
        if self.defect != "unknown to load":
            check_precision(self, precision)
        if self.defect in ("move", "source"):
            assert Path((directory / "weights").read_text()).exists()
        return Counter((directory / "weights").read_text() if self.defect == "build" else "", self.defect)


class Counter:
    """A clip's length, said as the planted defect has it."""

    def __init__(self, prefix: str, defect: str) -> None:
        self.compute_type = "int4" if defect == "compute type" else "int8"
        self.device = "cuda" if defect == "device" else "cpu"
        self.prefix, self.defect, self.calls = prefix, defect, 0

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        self.calls += 1
        texts = [f"{self.prefix}{len(clip.samples)}" for clip in clips]
        if self.defect == "determinism":
            texts = [f"{text} {self.calls}" for text in texts]
        if self.defect == "batch":
            texts = [f"{text} of {len(clips)}" for text in texts]
        if self.defect == "order":
            texts.sort()
        if self.defect == "long" and any(len(clip.samples) >= 480_000 for clip in clips):
            texts = [""] * len(clips)
        if self.defect == "empty" and any(not len(clip.samples) for clip in clips):
            raise ZeroDivisionError
        if self.defect == "silence" and any(len(clip.samples) and not clip.samples.any() for clip in clips):
            raise ZeroDivisionError
        if self.defect == "untold" and any(clip.language is None for clip in clips):
            texts = ["english anyway"] * len(clips)
        languages = [clip.language or ("fr" if self.defect == "language" else "en") for clip in clips]
        said = [Hypothesis(text=text, language=code) for text, code in zip(texts, languages, strict=True)]
        if self.defect == "tokens":
            said = [Hypothesis(text=one.text, tokens=[1]) for one in said]  # type: ignore[arg-type]
        if self.defect == "generator":
            return (one for one in said)  # type: ignore[return-value]
        return [*said, said[0]] if self.defect == "count" else said


def subject(defect: str, tmp_path: Path, **attributes: object) -> Subject:
    backend = Counting()
    backend.defect = defect
    for name, value in attributes.items():
        setattr(backend, name, value)
    return Subject(backend, model=tmp_path, clips=CLIPS)


@pytest.mark.parametrize("check", BACKEND_CHECKS, ids=lambda check: check.__name__)
def test_a_sound_backend_passes(check: Callable[[Subject], None], tmp_path: Path) -> None:
    check(subject("", tmp_path))


@pytest.mark.parametrize(
    ("defect", "check", "message"),
    [
        ("compute type", checks.check_compute_type, "counting:int8 executes 'int4', not 'int8'"),
        ("device", checks.check_compute_type, "counting:int8 is on 'cuda', where load.. is for the CPU"),
        ("determinism", checks.check_determinism, "clip 0: decoded again, it says '16000 2'"),
        ("batch", checks.check_batch_invariance, "decoded alone, it says '16000 of 1'"),
        ("order", checks.check_order, "decoded in reverse order"),
        ("language", checks.check_language_is_detected, "detects 'en' where it is told a language, else 'fr'"),
        ("untold", checks.check_language_is_detected, "told the language it detects"),
        ("tokens", checks.check_silence, "tokens a tuple of int"),
        ("generator", checks.check_determinism, "answers with generator, not with a list"),
        ("late refusal", checks.check_unknown_precision, "until it fails with ZeroDivisionError"),
        ("long", checks.check_long_audio, "beside a clip of 30 seconds, it says ''"),
        ("unknown to build", checks.check_unknown_precision, "builds 'no-such-precision' without complaint"),
        ("unknown to load", checks.check_unknown_precision, "loads 'no-such-precision' without complaint"),
        ("build", checks.check_build_is_reproducible, "built again, it says '"),
        ("count", checks.check_determinism, "answered 4 clips with 5 hypotheses"),
    ],
)
def test_a_planted_defect_is_found(defect: str, check: Callable[[Subject], None], message: str, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=message):
        check(subject(defect, tmp_path))


@pytest.mark.parametrize(
    ("defect", "check", "error"),
    [
        ("empty", checks.check_empty_audio, ZeroDivisionError),
        ("silence", checks.check_silence, ZeroDivisionError),
        ("move", checks.check_artifact_survives_a_move, AssertionError),
        ("source", checks.check_artifact_survives_a_move, AssertionError),
    ],
)
def test_a_crash_fails_the_check(
    defect: str, check: Callable[[Subject], None], error: type[Exception], tmp_path: Path
) -> None:
    with pytest.raises(error):
        check(subject(defect, tmp_path))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"precisions": {}}, "has no precision"),
        ({"recommended": "int4"}, "recommends 'int4'"),
        ({"calibrated": frozenset({"int4"})}, "precisions it does not have: int4"),
        ({"simulated": frozenset({"int3"})}, "precisions it does not have: int3"),
        ({"weights": ()}, "which files are its weights"),
        ({"precisions": {"int8": ""}}, "what a precision executes"),
    ],
)
def test_a_declaration_that_does_not_fit_is_found(attributes: dict[str, object], message: str, tmp_path: Path) -> None:
    made = subject("", tmp_path)
    for name, value in attributes.items():
        setattr(made.backend, name, value)
    with pytest.raises(ContractError, match=message):
        checks.check_declaration(made)
