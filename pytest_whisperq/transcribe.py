"""Decode a corpus with a model, each utterance once however many gates, sessions and workers ask for it.

Transcripts are kept in ``transcripts/KEY.jsonl``, one line a clip, appended batch by batch: a killed run resumes, and a
warm run reads text without loading any model or runtime.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from pytest_whisperq import audio
from pytest_whisperq._files import cache_error
from pytest_whisperq.artifacts import Artifact, ArtifactStore
from pytest_whisperq.audio_index import ClipFacts
from pytest_whisperq.backends import Clip, Hypothesis, Transcriber, _whisper, get_backend, promised
from pytest_whisperq.corpus import Corpus, Utterance
from pytest_whisperq.environment import cpu_features, versions
from pytest_whisperq.errors import DecodeError, WhisperqError
from pytest_whisperq.spec import ModelSpec

DECODING = {
    "task": "transcribe",
    "beam_size": 1,
    "timestamps": False,
    "max_new_tokens": _whisper.MAX_NEW_TOKENS,
    "revision": 3,
}
"""How every model decodes, on every backend. The revision is raised when a backend's way of running changes, which
retires every older transcript."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and how much there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptSet:
    """What one model said about a corpus, in its order: audio digests (`audio.pcm_digest`) and raw texts.

    ``languages`` are those the model detects, None where it knows only one. ``operations`` is what the runtime says of
    its mix of types, where it mixes them.
    """

    spec: ModelSpec
    artifact: Artifact
    compute_type: str
    operations: str
    clips: tuple[str, ...]
    texts: tuple[str, ...]
    languages: tuple[str | None, ...]

    @property
    def fell_back(self) -> bool:
        """Whether something else executed than the precision promises."""
        return self.compute_type != promised(self.spec)


class TranscriptCache:
    """Transcripts by artifact, decoding options, library versions and processor features."""

    def __init__(
        self,
        root: Path,
        store: ArtifactStore,
        *,
        threads: int,
        batch: int,
        progress: Progress,
        allow_fallback: bool = False,
    ) -> None:
        self._root = root / "transcripts"
        self._locks = root / "locks"
        self._store = store
        self._threads = threads
        self._batch = batch
        self._progress = progress
        self._allow_fallback = allow_fallback

    def transcribe(self, spec: ModelSpec, corpus: Corpus, facts: dict[str, ClipFacts]) -> TranscriptSet:
        """Return the transcripts of ``corpus``, decoding what is not cached yet.

        Raises `DecodeError` when the model cannot run or executes another compute type than its precision promises.
        """
        wanted = [(_clip_id(item, facts), item) for item in corpus.utterances]
        artifact = self._store.get(spec)
        path = self._path(artifact)
        header, known = _read(path)
        if any(clip not in known for clip, _ in wanted):
            artifact = self._store.intact(spec)  # before its weights speak
            path = self._path(artifact)
            try:
                for folder in (self._root, self._locks):
                    folder.mkdir(parents=True, exist_ok=True)
                with FileLock(self._locks / f"{path.stem}.transcripts.lock"):
                    self._decode(artifact, path, wanted)
            except OSError as error:
                raise cache_error(self._root.parent, error) from error
            header, known = _read(path)
        compute_type = header.get("compute_type", "")
        self._attest(spec, compute_type)  # what is cached may have been decoded when a fallback was allowed
        return TranscriptSet(
            spec=spec,
            artifact=artifact,
            compute_type=compute_type,
            operations=header.get("operations", ""),
            clips=tuple(facts[item.id].digest for item in corpus.utterances),
            texts=tuple(known[clip][0] for clip, _ in wanted),
            languages=tuple(known[clip][1] for clip, _ in wanted),
        )

    def decode_anew(self, spec: ModelSpec, corpus: Corpus, times: int) -> tuple[str, list[list[Hypothesis]]]:
        """Return the compute type, and what a model says about ``corpus`` each time; nothing comes from the cache."""
        transcriber = self._load(self._store.intact(spec))
        batches = _batches([(item.id, item) for item in corpus.utterances], self._batch)
        runs = []
        for number in range(times):
            self._progress(f"{spec} decodes again", number, times)
            runs.append([said for batch in batches for said in self._run(spec, transcriber, batch)])
        self._progress(f"{spec} decodes again", times, times)
        return transcriber.compute_type, runs

    def _path(self, artifact: Artifact) -> Path:
        backend = get_backend(artifact.spec.backend)
        recipe = [artifact.key, artifact.identity, DECODING, versions(backend.distributions), cpu_features()]
        return self._root / f"{hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:32]}.jsonl"

    def _decode(self, artifact: Artifact, path: Path, wanted: Sequence[tuple[str, Utterance]]) -> None:
        header, known = _read(path)  # another worker may have been faster
        todo = {clip: item for clip, item in wanted if clip not in known}
        if not todo:
            return
        transcriber = self._load(artifact)
        if header and header["compute_type"] != transcriber.compute_type:  # the same runtime was told otherwise before
            path.unlink()
            header, todo = {}, dict(wanted)
        done = 0
        with path.open("a", encoding="utf-8") as file:
            if path.stat().st_size and not path.read_bytes().endswith(b"\n"):  # killed in the middle of a line
                file.write("\n")
            if not header:
                executes = {
                    "compute_type": transcriber.compute_type,
                    "operations": getattr(transcriber, "operations", ""),
                }
                _write(file, {**executes, "model": str(artifact.spec), "artifact": artifact.key, **DECODING})
            for batch in _batches(list(todo.items()), self._batch):
                for (clip, _), said in zip(batch, self._run(artifact.spec, transcriber, batch), strict=True):
                    _write(file, {"clip": clip, "text": said.text, "language": said.language, "tokens": said.tokens})
                file.flush()
                done += len(batch)
                self._progress(f"{artifact.spec} decodes", done, len(todo))

    def _load(self, artifact: Artifact) -> Transcriber:
        spec = artifact.spec
        backend = get_backend(spec.backend)
        try:
            with _whisper.quiet_libraries():
                transcriber = backend.load(spec.precision, artifact.directory, self._threads)
        except WhisperqError:
            raise
        except Exception as error:
            raise DecodeError(f"{spec} was built but cannot be loaded: {error}") from error
        self._attest(spec, transcriber.compute_type)
        return transcriber

    def _attest(self, spec: ModelSpec, compute_type: str) -> None:
        """Raise `DecodeError` unless what executes is what the precision promises, or a fallback is allowed."""
        if compute_type != promised(spec) and not self._allow_fallback:
            raise DecodeError(
                f"{spec} was asked for but {compute_type!r} executes here, not {promised(spec)!r}; "
                "its figures would be those of another model. Choose a precision this machine runs, "
                "or gate what it falls back to with --whisperq-allow-fallback."
            )

    def _run(
        self, spec: ModelSpec, transcriber: Transcriber, batch: Sequence[tuple[str, Utterance]]
    ) -> list[Hypothesis]:
        clips = [Clip(samples=audio.load(item.audio), language=item.language) for _, item in batch]
        try:
            with _whisper.quiet_libraries():
                found = transcriber.transcribe(clips)
        except WhisperqError as error:
            raise DecodeError(f"{spec} at {batch[0][1].where}: {error}") from error
        except Exception as error:
            names = ", ".join(item.id for _, item in batch[:3])
            raise DecodeError(f"{spec} failed on a batch of {len(batch)} clips ({names} …): {error}") from error
        if len(found) != len(batch):
            raise DecodeError(f"{spec} answered {len(batch)} clips with {len(found)} hypotheses; its backend is broken")
        return found


def _clip_id(item: Utterance, facts: dict[str, ClipFacts]) -> str:
    """Return what identifies a transcript within a cache file: the sound, and the language the model was told."""
    return f"{facts[item.id].digest}:{item.language or 'detect'}"


def _batches(items: list[tuple[str, Utterance]], size: int) -> list[list[tuple[str, Utterance]]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _write(file: Any, record: dict[str, Any]) -> None:
    file.write(json.dumps(record) + "\n")


def _read(path: Path) -> tuple[dict[str, str], dict[str, tuple[str, str | None]]]:
    """Return what executed (empty where unknown) and text and language by clip; a line cut short is not known yet.

    Without the compute type nothing is: nobody could say what executed.
    """
    header: dict[str, str] = {}
    known: dict[str, tuple[str, str | None]] = {}
    try:
        lines = path.read_bytes().split(b"\n")  # a damaged line is no text, not another text
    except OSError:
        return header, known
    for line in lines:
        try:
            record = json.loads(line)
            if "clip" in record:
                known[str(record["clip"])] = str(record["text"]), record["language"]
            else:
                compute_type, operations = str(record["compute_type"]), str(record.get("operations", ""))
                header = {"compute_type": compute_type, "operations": operations}
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return header, known if header else {}
