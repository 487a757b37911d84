"""A built model out of thin air, for gates that look at what it is and not at what it says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.models.source import ModelSpec, SourceModel
from pytest_whisperq.models.store import Artifact

SOURCE = SourceModel(name="made", directory=Path("nowhere"), identity="made")


@pytest.fixture(scope="session")
def artifact() -> Callable[..., Artifact]:
    """Return a function from a precision, a size in bytes and a directory to an artifact of the scripted backend."""

    def make(precision: str, size: int = 1000, directory: Path = SOURCE.directory) -> Artifact:
        spec = ModelSpec(backend="scripted", precision=precision, source=SOURCE)
        return Artifact(spec=spec, key="", directory=directory, identity="", size=size, build_seconds=1.0)

    return make
