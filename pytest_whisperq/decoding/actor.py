"""What runs on a node of a cluster: it loads one model, and decodes batches that are sent to it. Knows nothing of Ray.

All that it is told and all that it answers are plain values: texts, numbers, samples. An error is such a value too, so
that nobody has to unpickle one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from pytest_whisperq.backends import (
    Backend,
    Clip,
    Task,
    Transcriber,
    _whisper,
    code_digest,
    devices,
    distributions,
    get_backend,
    names,
)
from pytest_whisperq.backends.registry import BUILT_IN, in_file, source_of
from pytest_whisperq.decoding.decoder import hearing, settle
from pytest_whisperq.decoding.engine import operations_of
from pytest_whisperq.decoding.transcript_cache import DECODING
from pytest_whisperq.models.delivery import is_there, receive, received
from pytest_whisperq.models.store import SCHEMA
from pytest_whisperq.system import errors
from pytest_whisperq.system.cache_layout import default_root
from pytest_whisperq.system.errors import DecodeError, MissingDependency, WhisperqError
from pytest_whisperq.system.machine import cpu_features, versions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Answer = tuple[str, Any]
"""``("done", value)``, or ``("failed", [class, what, where, remedy])``."""


class Request(TypedDict):
    """What an actor is told of a model, and of the machine that judges it."""

    backend: str
    source: str
    module: str
    qualified: str
    precision: str
    threads: int
    directory: str
    record: Mapping[str, Any]
    identity: Mapping[str, str]


def identity_of(backend: Backend, precision: str) -> dict[str, str]:
    """Return all of a machine that transcripts of a precision depend on, in words: versions, code, processor."""
    return {
        **versions(("pytest-whisperq", *distributions(backend, precision))),
        "the way of decoding": f"{DECODING['revision']}.{SCHEMA}",
        "the code of its backend": code_digest(backend)[:16],
        "the processor": cpu_features(),
    }


def request_for(backend: Backend, precision: str, threads: int, directory: Path, record: Mapping[str, Any]) -> Request:
    """Return what an actor is told of a model that was built into ``directory``, as ``record`` says."""
    return Request(
        backend=backend.name,
        source=str(source_of(backend)),
        module=type(backend).__module__,
        qualified=type(backend).__qualname__,
        precision=precision,
        threads=threads,
        directory=str(directory),
        record=record,
        identity=identity_of(backend, precision),
    )


def _backend_of(request: Request) -> Backend:
    """Return the backend: one of ours, of an installed package, or of a file that lies here under the same path."""
    name, source = request["backend"], Path(request["source"])
    if name in BUILT_IN or (name in names() and not source.is_file()):
        return get_backend(name)
    if not source.is_file():
        raise MissingDependency(
            f"backend {name!r} is written in {source}, which is not there",
            remedy="install it on every node as a package, or let the nodes share its folder",
        )
    return in_file(name, source, request["module"], request["qualified"])


def told(work: Callable[[], Any]) -> Answer:
    """Do some work, and return what came of it, an error too."""
    try:
        with _whisper.quiet_libraries():
            return "done", work()
    except WhisperqError as error:
        return "failed", [type(error).__name__, error.what, error.where, error.remedy]
    except Exception as error:  # noqa: BLE001 - of any runtime; whoever asked raises it
        return "failed", ["", str(error), type(error).__name__, ""]


def value_of(answer: Answer) -> Any:
    """Return what came of some work elsewhere, or raise what was raised there.

    What is no error of ours is a `RuntimeError` with its text.
    """
    state, value = answer
    if state == "done":
        return value
    kind, what, where, remedy = (str(one) for one in value)
    known = getattr(errors, kind, None) if kind else None
    if isinstance(known, type) and issubclass(known, WhisperqError):
        raise known(what, where=where, remedy=remedy)
    raise RuntimeError(what or where)


class DecodingActor:
    """Loads a model once, and decodes with it. ``fetch`` returns a piece of a file of which it is told."""

    def __init__(self, fetch: Callable[[Any], bytes]) -> None:
        self._fetch = fetch
        self._backend = ""
        self._transcriber: Transcriber | None = None

    def open(self, request: Request, files: Sequence[tuple[str, Sequence[Any]]] | None) -> Answer:
        """Load a model, unless this machine differs in what transcripts depend on.

        The value has ``identity`` where it differs, ``lacks`` where ``files`` are needed and not given, and else
        ``compute_type``, ``device`` and ``operations``.
        """
        return told(lambda: self._open(request, files))

    def _open(self, request: Request, files: Sequence[tuple[str, Sequence[Any]]] | None) -> dict[str, Any]:
        backend = _backend_of(request)
        identity = identity_of(backend, request["precision"])
        if identity != request["identity"]:
            return {"identity": identity}
        directory = self._find(request, files)
        if directory is None:
            return {"lacks": True}
        transcriber = backend.load(request["precision"], directory, request["threads"])
        settle(transcriber, request["threads"])
        self._backend, self._transcriber = backend.name, transcriber
        return {
            "compute_type": transcriber.compute_type,
            "device": devices.where(transcriber),
            "operations": operations_of(transcriber),
        }

    def _find(self, request: Request, files: Sequence[tuple[str, Sequence[Any]]] | None) -> Path | None:
        """Return the folder of the model: where it was built, if this machine sees that, or in a cache of its own."""
        record = request["record"]
        if is_there(Path(request["directory"]), record):
            return Path(request["directory"])
        if files is None:
            return received(default_root(), record)
        return receive(default_root(), record, ((name, self._bytes(pieces)) for name, pieces in files))

    def _bytes(self, pieces: Sequence[Any]) -> Iterable[bytes]:
        return map(self._fetch, pieces)

    def transcribe(
        self, samples: "Sequence[NDArray[np.float32]]", languages: Sequence[str | None], task: Task
    ) -> Answer:
        """Decode a batch: samples of each clip, and the language that the model is told.

        The value has text, tokens and detected language of each.
        """
        return told(lambda: self._transcribe(samples, languages, task))

    def _transcribe(
        self, samples: "Sequence[NDArray[np.float32]]", languages: Sequence[str | None], task: Task
    ) -> list[tuple[str, tuple[int, ...], str | None]]:
        if self._transcriber is None:
            raise DecodeError("no model is loaded", remedy="open one first")
        clips = [Clip(samples=one, language=language) for one, language in zip(samples, languages, strict=True)]
        hear = hearing(self._backend, self._transcriber, task)
        return [(one.text, tuple(map(int, one.tokens)), one.language) for one in hear(clips)]
