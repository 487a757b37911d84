"""A gate run in a temporary folder, with every build and every decoded clip counted; and another process beside it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from pytest_whisperq.backends import Clip, Hypothesis
from pytest_whisperq.backends.scripted import ScriptedBackend, ScriptedTranscriber
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.decoding.decoder import Progress
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.models.source import ModelSpec, resolve_source
from pytest_whisperq.models.store import ArtifactStore
from pytest_whisperq.session import silent

StartRun = Callable[..., GateRunner]
Elsewhere = Callable[[str], AbstractContextManager["subprocess.Popen[str]"]]

_HOLDS = """
import sys
from contextlib import ExitStack
from pathlib import Path

stack = ExitStack()
hold = stack.enter_context
{code}
print("held", flush=True)
sys.stdin.read()
stack.close()
"""


@pytest.fixture
def elsewhere() -> Elsewhere:
    """Start Python on some code, and let it be until the block ends; it holds by then what the code gave to `hold`."""

    @contextmanager
    def start(code: str) -> Iterator["subprocess.Popen[str]"]:
        command = [sys.executable, "-c", _HOLDS.format(code=code)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process

    return start


@pytest.fixture
def builds() -> list[ModelSpec]:
    """Every model that was really built by `store`."""
    return []


@pytest.fixture
def repairs() -> list[str]:
    """What `store` said of what was damaged."""
    return []


@pytest.fixture
def store(tmp_path: Path, builds: list[ModelSpec], repairs: list[str]) -> ArtifactStore:
    """A store of artifacts in ``tmp_path / "cache"``."""
    return ArtifactStore(tmp_path / "cache", builds.append, repairs.append)


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    """A scripted int8 model whose source may be changed by the test before it is built."""
    source = tmp_path / "model"
    source.mkdir()
    (source / "scripted.json").write_text('{"float32": {}, "int8": {}}', encoding="utf-8")
    return ModelSpec(backend="scripted", precision="int8", source=resolve_source(str(source)))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The size of every batch that any scripted model was given."""
    batches: list[int] = []
    transcribe = ScriptedTranscriber.transcribe

    def counted(self: ScriptedTranscriber, clips: list[Clip]) -> list[Hypothesis]:
        batches.append(len(clips))
        return transcribe(self, clips)

    monkeypatch.setattr(ScriptedTranscriber, "transcribe", counted)
    return batches


@pytest.fixture
def start_run(tmp_path: Path, make_corpus: Callable[..., Path], make_script: Callable[..., Path]) -> StartRun:
    """Start a gate run as a new process would: ``start_run(max_drop="2")`` over five clips and a scripted model.

    The corpus is in ``tmp_path / "corpus"``, the script in ``tmp_path / "model"``: a test may put others there first.
    """

    def start(progress: Progress = silent, **options: str) -> GateRunner:
        corpus, model = tmp_path / "corpus", tmp_path / "model"
        if not corpus.exists():
            make_corpus(corpus, ["one", "two three", "four", "five six", "seven"])
        if not model.exists():
            make_script(model, corpus, {"float32": None, "int8": None})
        typed = {
            "candidate": "scripted:int8",
            "baseline": "scripted:float32",
            "model": str(model),
            "corpus": str(corpus),
            "cache_dir": str(tmp_path / "cache"),
            **options,
        }
        return GateRunner(resolve({f"whisperq_{key}": value for key, value in typed.items()}), progress)

    return start


@pytest.fixture
def break_build(monkeypatch: pytest.MonkeyPatch) -> "type[_Breaker]":
    """Make the scripted backend's build fail with a given exception: ``break_build.using(OSError(…))``."""
    _Breaker.patch = monkeypatch
    return _Breaker


class _Breaker:
    patch: pytest.MonkeyPatch

    @classmethod
    def using(cls, error: BaseException) -> None:
        def build(self: ScriptedBackend, precision: str, source: Path, directory: Path, calibration: object) -> None:
            (directory / "scripted.json").write_text("{", encoding="utf-8")  # as far as it got
            raise error

        cls.patch.setattr(ScriptedBackend, "build", build)
