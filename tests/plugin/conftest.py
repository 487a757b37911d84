"""A user's project, run without xdist and with it."""

import importlib
from functools import lru_cache

import numpy as np
import pytest

# pytester forgets every module that a run inside this process is the first to import. Extension modules abort when they
# are loaded a second time, and a package remembers submodules that are forgotten, so that two copies of one class would
# meet. Everything a gate uses is therefore loaded before any such run. So is hypothesis, which takes longest of all:
# its plugin loads it at the end of every run.
for name in (
    *("hypothesis", "jinja2", "jiwer", "numpy", "rich.console", "rich.table", "scipy.special", "soundfile", "soxr"),
    *("whisper_normalizer.basic", "whisper_normalizer.english"),
    *("pytest_whisperq.backends.scripted", "pytest_whisperq.plugin.gating", "pytest_whisperq.plugin.state"),
    *("pytest_whisperq.backends.faster_whisper", "pytest_whisperq.gates.accuracy", "pytest_whisperq.plugin.attempts"),
    *("pytest_whisperq.plugin.publishing", "pytest_whisperq.contract.known_bad", "pytest_whisperq.contract.merge_kit"),
    *("pytest_whisperq.contract.streams", "pytest_whisperq.gates.speedup", "pytest_whisperq.reporting.html"),
):
    importlib.import_module(name)

from scripted_project import PLAIN_OR_WORKERS, Project  # noqa: E402 - after the loop above

from pytest_whisperq.speech import audio  # noqa: E402


@lru_cache(maxsize=1024)
def _recording(data: bytes, offset: float, seconds: float | None, longest: float | None) -> audio.Recording:
    source = audio.AudioSource(label="recording", data=data, offset=offset, seconds=seconds)
    recording = READ(source, longest)
    recording.samples.setflags(write=False)
    return recording


READ = audio.read


def _read_once(source: audio.AudioSource, longest: float | None = None) -> audio.Recording:
    try:
        with source.open() as file:
            return _recording(file.read(), source.offset, source.seconds, longest)
    except audio.CorpusError:
        return READ(source, longest)  # which names the file


DIGEST = audio.pcm_digest


@lru_cache(maxsize=1024)
def _digest(samples: bytes) -> str:
    return DIGEST(np.frombuffer(samples, np.float32))


@pytest.fixture(autouse=True)
def recordings_are_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember the few hundred noises that projects are made of: decoding them was half of every run."""
    monkeypatch.setattr(audio, "read", _read_once)
    monkeypatch.setattr(audio, "pcm_digest", lambda samples: _digest(samples.tobytes()))


@pytest.fixture(params=PLAIN_OR_WORKERS)
def any_project(request: pytest.FixtureRequest) -> Project:
    """A project whose tests run without xdist and in two workers, which takes ten times as long to start."""
    return Project(request, request.param)


@pytest.fixture
def project(request: pytest.FixtureRequest) -> Project:
    """A project whose tests run in this process."""
    return Project(request, ("-p", "no:xdist"))
