"""What every `Backend` has to keep for its gates to mean something: plain functions that raise `ContractError`."""

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pytest_whisperq.backends import Clip, Hypothesis, devices
from pytest_whisperq.contract.subject import ContractError, Subject
from pytest_whisperq.speech.audio import SAMPLE_RATE, WINDOW_SECONDS
from pytest_whisperq.system.devices import CPU
from pytest_whisperq.system.errors import WhisperqError

NO_PRECISION = "no-such-precision"


def check_declaration(subject: Subject) -> None:
    """What it says of itself fits together: precisions, the recommended one, those that are calibrated."""
    backend = subject.backend
    _require(bool(backend.precisions), f"{backend.name} has no precision")
    _require(backend.recommended in backend.precisions, f"{backend.name} recommends {backend.recommended!r}, unknown")
    named = {*backend.calibrated, *backend.simulated, *backend.by_name, *backend.falls_back()}
    strangers = named - {*backend.precisions}
    _require(not strangers, f"{backend.name} speaks of precisions it does not have: {', '.join(sorted(strangers))}")
    _require(all(backend.precisions.values()), f"{backend.name} does not say what a precision executes")
    _require(bool(backend.weights), f"{backend.name} does not say which files are its weights")


def check_compute_type(subject: Subject) -> None:
    """It executes what its precision promises, or says beforehand that this machine cannot; on the CPU, if not told."""
    promised, executed = subject.backend.precisions[subject.precision], subject.transcriber.compute_type
    if subject.precision in subject.backend.falls_back():
        _require(executed != promised, f"{subject.name} executes {executed!r}, but is said to fall back here")
    else:
        _require(executed == promised, f"{subject.name} executes {executed!r}, not {promised!r}")
    device = devices.where(subject.transcriber)
    _require(device == CPU, f"{subject.name} is on {device!r}, where load() is for the CPU and load_on() for others")


def check_determinism(subject: Subject) -> None:
    """The same batch again gives the same tokens and texts."""
    _same(subject, subject.hypotheses, subject.transcribe(subject.transcriber, subject.clips), "decoded again")


def check_batch_invariance(subject: Subject) -> None:
    """What is said about a clip does not depend on its neighbours: alone or in a batch, the same text."""
    alone = [subject.transcribe(subject.transcriber, [clip])[0] for clip in subject.clips]
    _same(subject, subject.hypotheses, alone, "decoded alone")


def check_order(subject: Subject) -> None:
    """Hypotheses come in the order of the clips."""
    backwards = subject.transcribe(subject.transcriber, subject.clips[::-1])
    _same(subject, subject.hypotheses, backwards[::-1], "decoded in reverse order")


def check_language_is_detected(subject: Subject) -> None:
    """A clip without a language is decoded in the one detected, which does not depend on the language told."""
    untold = [Clip(samples=clip.samples, language=None) for clip in subject.clips]
    hypotheses = subject.transcribe(subject.transcriber, untold)
    for told, free in zip(subject.hypotheses, hypotheses, strict=True):
        known = free.language is None or (free.language.isalpha() and free.language.islower())
        _require(known, f"{subject.name} detects {free.language!r}, which is no language code such as 'en'")
        same = told.language == free.language
        _require(same, f"{subject.name} detects {told.language!r} where it is told a language, else {free.language!r}")
    clips = [Clip(samples=c.samples, language=f.language) for c, f in zip(subject.clips, hypotheses, strict=True)]
    as_told = [clip.language for clip in clips] == [clip.language for clip in subject.clips]
    said = subject.hypotheses if as_told else subject.transcribe(subject.transcriber, clips)
    _same(subject, hypotheses, said, "told the language it detects")


def check_empty_audio(subject: Subject) -> None:
    """A clip of no samples is answered with a text, mostly an empty one, in place of a crash."""
    _spoken(subject, 0)


def check_silence(subject: Subject) -> None:
    """Digital silence is answered with a text, whatever it says: no division by zero, no crash."""
    _spoken(subject, 3 * SAMPLE_RATE)


def check_long_audio(subject: Subject) -> None:
    """A clip of exactly 30 s, the longest there is, leaves the clip before it in the batch alone."""
    import numpy as np

    first = subject.clips[0]
    whole = np.zeros(round(WINDOW_SECONDS * SAMPLE_RATE), np.float32)
    whole[: len(first.samples)] = first.samples
    hypotheses = subject.transcribe(subject.transcriber, [first, Clip(samples=whole, language=first.language)])
    _same(subject, subject.hypotheses[:1], hypotheses[:1], "decoded beside a clip of 30 seconds")


def check_unknown_precision(subject: Subject) -> None:
    """A precision it does not have is an error, not a silent default: when it builds and when it loads."""
    source, built = subject.source, subject.directory
    for what, run in (
        ("builds", lambda: subject.backend.build(NO_PRECISION, source, subject.folder("unknown"), None)),
        ("loads", lambda: subject.backend.load(NO_PRECISION, built, subject.threads)),
    ):
        try:
            run()
        except (WhisperqError, ValueError, KeyError):
            continue
        except Exception as error:
            raise ContractError(
                f"{subject.backend.name} {what} {NO_PRECISION!r} until it fails with {error!r}; "
                "refuse it by name, with pytest_whisperq.backends.check_precision"
            ) from error
        raise ContractError(
            f"{subject.backend.name} {what} {NO_PRECISION!r} without complaint; "
            "refuse it by name, with pytest_whisperq.backends.check_precision"
        )


def check_build_is_reproducible(subject: Subject) -> None:
    """Built again from the same base it says the same.

    Judged by what is said, not by bytes: some exporters write constants in an order that changes from run to run.
    """
    _same(subject, subject.hypotheses, subject.rebuilt_hypotheses, "built again")


def check_artifact_survives_a_move(subject: Subject) -> None:
    """A built model is its folder and nothing else: elsewhere, and without what it was built from, it says the same."""
    expected, (built, source) = subject.rebuilt_hypotheses, subject.rebuilt
    place = subject.folder("elsewhere") / "model"
    shutil.move(built, place)
    shutil.rmtree(source)
    _same(subject, expected, subject.transcribe(subject.load(place), subject.clips), "moved")


BACKEND_CHECKS: tuple[Callable[[Subject], None], ...] = (
    check_declaration,
    check_compute_type,
    check_determinism,
    check_batch_invariance,
    check_order,
    check_language_is_detected,
    check_empty_audio,
    check_silence,
    check_long_audio,
    check_unknown_precision,
    check_build_is_reproducible,
    check_artifact_survives_a_move,
)
"""Every check of the contract."""


def parametrize_backend_checks(*subjects: Subject) -> Any:
    """Return a decorator that runs a test function, which calls its argument ``check``, once for each check."""
    import pytest

    cases = [
        pytest.param(partial(check, subject), id=f"{subject.name}-{check.__name__}")
        for subject in subjects
        for check in BACKEND_CHECKS
    ]
    return pytest.mark.parametrize("check", cases)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ContractError(otherwise)


def _same(subject: Subject, expected: Sequence[Hypothesis], actual: Sequence[Hypothesis], how: str) -> None:
    for number, (one, other) in enumerate(zip(expected, actual, strict=True)):
        if (one.text, one.tokens, one.language) != (other.text, other.tokens, other.language):
            raise ContractError(
                f"{subject.name}, clip {number}: {how}, it says {other.text!r} ({other.language}) "
                f"instead of {one.text!r} ({one.language})"
            )


def _spoken(subject: Subject, samples: int) -> None:
    """Let digital silence be transcribed; `Subject.transcribe` sees to it that the answer is one."""
    import numpy as np

    clip = Clip(samples=np.zeros(samples, np.float32), language=subject.clips[0].language)
    subject.transcribe(subject.transcriber, [clip])
