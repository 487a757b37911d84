"""Where the embedded model and recordings are: package data in a wheel, ``fixtures/`` in a checkout."""

from pathlib import Path

from pytest_whisperq.system.errors import BuildError, CorpusError

MODEL = "whisperq-micro"
MODELS = (MODEL, "whisperq-micro-distil.en", "whisperq-micro-translate")
"""The embedded checkpoints: a multilingual one, its English-only student, and one that was taught to translate."""


def _root() -> Path:
    package = Path(__file__).resolve().parents[1]
    packed = package / "data"
    return packed if packed.is_dir() else package.parent / "fixtures"


def model_directory(name: str = MODEL) -> Path:
    """Return the directory of an embedded model; raise `BuildError` when the installation lacks it."""
    directory = _root() / "models" / name
    if not (directory / "config.json").is_file():
        raise BuildError(f"the embedded model {name!r} is missing from {directory}", remedy="reinstall pytest-whisperq")
    return directory


def corpus_directory() -> Path:
    """Return the directory of the embedded evaluation corpus; raise `CorpusError` when the installation lacks it."""
    return _audio("evaluation")


def calibration_directory() -> Path:
    """Return the directory of the embedded calibration set; raise `CorpusError` when the installation lacks it."""
    return _audio("calibration")


def long_form_directory() -> Path:
    """Return the directory of the embedded long recordings; raise `CorpusError` when the installation lacks it."""
    return _audio("longform")


def suites_directory() -> Path:
    """Return the directory of the packaged suites: a package of its own in a wheel, ``suites/`` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    packed = package / "suites"
    return packed if packed.is_dir() else package.parent / "suites"


def _audio(name: str) -> Path:
    directory = _root() / "audio" / name
    if not directory.is_dir():
        raise CorpusError(f"the embedded recordings are missing from {directory}", remedy="reinstall pytest-whisperq")
    return directory
