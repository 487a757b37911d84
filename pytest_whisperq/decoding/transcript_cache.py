"""Decode a corpus with a model, each utterance once however many gates, sessions and workers ask for it.

Transcripts are kept in ``transcripts/KEY.jsonl``, one line a clip, appended batch by batch: a killed run resumes, and a
warm run reads text without loading any model or runtime. Lines are sealed: what a damaged one held is decoded again,
and that is said (`transcript_file`).
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from pytest_whisperq.backends import Task, Transcriber, _whisper, code_digest, distributions, get_backend
from pytest_whisperq.decoding.decoder import Decoder
from pytest_whisperq.decoding.engine import Batch, Engine, Running, operations_of
from pytest_whisperq.decoding.transcript_file import Said, Stored, TranscriptFile, read, read_clips
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.speech.clip_index import ClipFacts
from pytest_whisperq.speech.corpus import Corpus, Utterance
from pytest_whisperq.system.cache_layout import CacheLayout
from pytest_whisperq.system.errors import DecodeError, StoreError
from pytest_whisperq.system.machine import described, versions
from pytest_whisperq.system.sealed import SealedFile

DECODING = {
    "task": "transcribe",
    "beam_size": 1,
    "timestamps": False,
    "max_new_tokens": _whisper.MAX_NEW_TOKENS,
    "revision": 5,
}
"""How every model decodes, on every backend, but for the task. The revision is raised when a backend's way of running
changes, which retires every older transcript."""


_NOTHING = (None, None)
"""What is known of a clip that is not in the cache."""

Enough = Callable[[Sequence[str]], bool]
"""Whether the texts of the first utterances of a corpus are all that is wanted of it."""


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
        return self.compute_type != self.spec.promised

    def sharing(self, other: "TranscriptSet") -> "TranscriptSet":
        """Return these transcripts, which hold texts of ``other`` that are equal: most of a good candidate's are."""
        texts = (theirs if ours == theirs else ours for ours, theirs in zip(self.texts, other.texts, strict=True))
        return replace(self, texts=tuple(texts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of what a model says about a corpus, in its order: texts and detected languages.

    A text is None where nothing is known of an utterance.
    """

    compute_type: str
    operations: str
    texts: tuple[str | None, ...]
    languages: tuple[str | None, ...]

    @classmethod
    def of(cls, transcripts: TranscriptSet) -> "Known":
        """Return what is known where all is."""
        return cls(
            compute_type=transcripts.compute_type,
            operations=transcripts.operations,
            texts=transcripts.texts,
            languages=transcripts.languages,
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of any utterance."""
        return all(text is None for text in self.texts)


def uncached_transcripts(
    artifact: Artifact, transcriber: Transcriber, clips: Sequence[str], texts: Sequence[str]
) -> TranscriptSet:
    """Return texts that came about in another way than a `TranscriptCache` decodes, and stay out of it.

    ``clips`` are digests, or names where every utterance has a cluster, which says better what is independent.
    """
    return TranscriptSet(
        spec=artifact.spec,
        artifact=artifact,
        compute_type=transcriber.compute_type,
        operations=operations_of(transcriber),
        clips=tuple(clips),
        texts=tuple(texts),
        languages=(None,) * len(texts),
    )


class TranscriptCache:
    """Transcripts by artifact, decoding options, library versions, and what they are decoded on.

    ``on_repair`` is told in a sentence what was damaged and is decoded again. Processes that decode the same ``shard``
    of a corpus, or all of it, wait for each other; others do not. One that ``is_complete`` decodes nothing.
    """

    def __init__(
        self,
        root: Path,
        decoder: Decoder,
        engine: Engine,
        on_repair: Callable[[str], None],
        *,
        shard: tuple[int, int] | None = None,
        is_complete: bool = False,
    ) -> None:
        self._shard = shard
        self._is_complete = is_complete
        self._layout = CacheLayout(root)
        self._on_repair = on_repair
        self._decoder = decoder
        self._engine = engine
        self._store = decoder.store
        self._last: tuple[Path, tuple[int, ...], Set[str], Stored] | None = None
        """The file that was read last, in which state, for which clips, and what it holds of them."""

    def transcribe(
        self,
        spec: ModelSpec,
        corpus: Corpus,
        facts: dict[str, ClipFacts],
        enough: Enough | None = None,
        task: Task = "transcribe",
    ) -> TranscriptSet:
        """Return the transcripts of ``corpus``, or what another ``task`` gives; what is not cached yet is decoded.

        ``enough`` is asked after every batch whether to stop there. The transcripts are then those of the first
        utterances, as many as are known without a gap.

        Raises `DecodeError` when the model cannot run or executes another compute type than its precision promises.
        """
        wanted = [(clip_id(item, facts), item) for item in corpus.utterances]
        artifact = self._store.built(spec) or self._store.get(spec)
        path = self._path(artifact.spec, artifact.identity, task)
        clips = {clip for clip, _ in wanted}
        stored = self._read(path, clips)
        if not _suffices(wanted, stored.texts, enough):
            if self._is_complete and task == "transcribe":  # shards do nothing else
                raise _not_merged(spec, [clip for clip, _ in wanted if clip not in stored.texts], len(wanted))
            artifact = self._store.intact(spec)  # before its weights speak
            path = self._path(artifact.spec, artifact.identity, task)
            with self._layout.decoding(path, self._shard):
                self._decode(artifact, path, wanted, enough, task)
            stored = self._read(path, clips)
            if not _suffices(wanted, stored.texts, enough):
                raise StoreError(
                    f"transcripts of {spec} were there, and are gone", where=str(path), remedy="run again; it resumes"
                )
        said, compute_type = stored.texts, stored.header.get("compute_type", "")
        self._decoder.attest(spec, compute_type)  # what is cached may have been decoded when a fallback was allowed
        wanted = _leading(wanted, said)
        return TranscriptSet(
            spec=spec,
            artifact=artifact,
            compute_type=compute_type,
            operations=stored.header.get("operations", ""),
            clips=tuple(facts[item.id].digest for _, item in wanted),
            texts=tuple(said[clip][0] for clip, _ in wanted),
            languages=tuple(said[clip][1] for clip, _ in wanted),
        )

    def known(self, spec: ModelSpec, corpus: Corpus, facts: dict[str, ClipFacts]) -> Known:
        """Return what is in the cache of a model and ``corpus``; nothing is built or decoded."""
        artifact = self._store.built(spec)
        clips = [clip_id(item, facts) for item in corpus.utterances]
        stored = self._read(self._path(artifact.spec, artifact.identity), set(clips)) if artifact else Stored()
        said = [stored.texts.get(clip, _NOTHING) for clip in clips]
        return Known(
            compute_type=stored.header.get("compute_type", ""),
            operations=stored.header.get("operations", ""),
            texts=tuple(text for text, _ in said),
            languages=tuple(language for _, language in said),
        )

    def _read(self, path: Path, clips: Set[str]) -> Stored:
        """Read what a file says of clips, once for as long as nobody adds to it, reads another, or wants others."""
        try:
            found = path.stat()
        except OSError:
            return read(path)  # which says what is wrong
        state = (found.st_ino, found.st_size, found.st_mtime_ns)
        if self._last is None or self._last[:2] != (path, state) or not clips <= self._last[2]:
            self._last = None  # two of them need not be held at once
            self._last = path, state, clips, read(path, clips)
        return self._last[3]

    def forget(self) -> None:
        """Hold no file any longer: whoever has all transcripts of a corpus asks for them no more."""
        self._last = None

    def header(self, spec: ModelSpec) -> Mapping[str, Any]:
        """Return what the cache says of all transcripts of a model: what executed. Nothing where there are none."""
        artifact = self._store.built(spec)
        return next(iter(SealedFile(self._path(spec, artifact.identity))), {}) if artifact else {}

    def clips(self, spec: ModelSpec, corpus: Corpus, facts: dict[str, ClipFacts]) -> list[Mapping[str, Any]]:
        """Return all that the cache holds of what a model says in the clips of a corpus, each once.

        Raises `StoreError` where one is not there.
        """
        artifact = self._store.built(spec)
        wanted = dict.fromkeys(clip_id(item, facts) for item in corpus.utterances)
        rows = read_clips(self._path(spec, artifact.identity), wanted) if artifact else {}
        if len(rows) < len(wanted):
            raise StoreError(f"transcripts of {spec} were there, and are gone", remedy="run again; it resumes")
        return [rows[clip] for clip in wanted]

    def refuse_contradiction(
        self, spec: ModelSpec, identity: str, header: Mapping[str, Any], clips: Sequence[Mapping[str, Any]]
    ) -> None:
        """Raise `StoreError` where the cache knows another text of a clip than ``clips``: one of the two is wrong.

        ``identity`` is that of the model's weights, which need not be known here yet; ``header`` says what executed.
        """
        path = self._path(spec, identity)
        stored = self._read(path, {row["clip"] for row in clips})
        known = dict(stored.texts) if stored.header.get("compute_type") == header["compute_type"] else {}
        for row in clips:
            here = known.setdefault(row["clip"], (row["text"], row["language"]))
            if here != (row["text"], row["language"]):
                raise StoreError(
                    f"{spec} has transcribed the clip {row['clip'][:16]} in another way than a shard did",
                    where=str(path),
                    remedy="judge the shards in a cache of their own: --whisperq-cache-dir",
                )

    def take(self, spec: ModelSpec, header: Mapping[str, Any], clips: Sequence[Mapping[str, Any]]) -> None:
        """Keep what another machine has decoded with a model that is known here (`ArtifactStore.borrow`)."""
        artifact = self._store.built(spec) or self._store.get(spec)
        file = self._file(artifact, self._path(spec, artifact.identity), header)
        known = file.begin({row["clip"] for row in clips})
        file.add([row for row in clips if row["clip"] not in known])

    def _file(
        self, artifact: Artifact, path: Path, executes: Mapping[str, Any], task: Task = "transcribe"
    ) -> TranscriptFile:
        def tell(damage: str) -> None:
            self._on_repair(f"transcripts of {artifact.spec} in the cache: {damage} damaged; decoded again")

        header = {
            "compute_type": executes["compute_type"],
            "operations": executes["operations"],
            "model": str(artifact.spec),
            "artifact": artifact.key,
            **DECODING,
            "task": task,
        }
        return TranscriptFile(self._layout, path, header, tell)

    def _path(self, spec: ModelSpec, identity: str, task: Task = "transcribe") -> Path:
        """Return the file of a model's transcripts, by all that decides what it says.

        Not by the precision it was asked for, in our backends: of two that come to the same weights and run them in the
        same type (int8 and int8-float32 of CTranslate2), one is decoded for both. Others may load them differently.
        """
        backend = get_backend(spec.backend)
        code = code_digest(backend)
        model = [spec.backend, spec.source.identity, code, identity, spec.promised]
        model += [spec.precision] if code else []
        model += [spec.folder.identity] if spec.folder else []  # its front end is its own
        used = distributions(backend, spec.precision)
        recipe = [*model, {**DECODING, "task": task}, versions(used), described(spec.device)]
        key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:32]
        return self._layout.transcript_file(key)

    def _decode(
        self,
        artifact: Artifact,
        path: Path,
        wanted: Sequence[tuple[str, Utterance]],
        enough: Enough | None,
        task: Task,
    ) -> None:
        clips = {clip for clip, _ in wanted}
        known = self._read(path, clips).texts
        if _suffices(wanted, known, enough):  # another worker was faster
            return
        missing = len(clips - known.keys())
        with self._engine.running(artifact, missing, task) as running:
            self._run(running, artifact, path, wanted, enough, task)

    def _run(
        self,
        running: Running,
        artifact: Artifact,
        path: Path,
        wanted: Sequence[tuple[str, Utterance]],
        enough: Enough | None,
        task: Task,
    ) -> None:
        executes = {"compute_type": running.compute_type, "operations": running.operations}
        file = self._file(artifact, path, executes, task)
        known = file.begin({clip for clip, _ in wanted})
        todo = {clip: item for clip, item in wanted if clip not in known}
        verb = "decodes" if task == "transcribe" else "translates"
        left, done, leading = iter(todo.items()), 0, _Leading([clip for clip, _ in wanted], enough)

        def take() -> Batch:
            return dict(islice(((clip, item) for clip, item in left if clip not in known), self._decoder.batch))

        with closing(running.decode(iter(take, {}))) as decoded:
            for batch, hypotheses in decoded:
                records = [
                    {"clip": clip, "text": one.text, "language": one.language, "tokens": one.tokens}
                    for clip, one in zip(batch, hypotheses, strict=True)
                ]
                others = file.add(records)  # another shard, or a run of the whole corpus, may have decoded some of it
                known |= {clip: (one.text, one.language) for clip, one in zip(batch, hypotheses, strict=True)}
                known |= others
                done = min(done + len(batch.keys() | (others.keys() & todo.keys())), len(todo))
                stop = leading.suffices(known)
                self._decoder.progress(f"{artifact.spec} {verb}{running.pace}", done, done if stop else len(todo))
                if stop:
                    break


class _Leading:
    """The first clips of those that are wanted, as far as they are known without a gap, while more become known."""

    def __init__(self, clips: Sequence[str], enough: Enough | None) -> None:
        self._clips = clips
        self._enough = enough
        self._count = 0
        self._next = 0

    def suffices(self, known: Mapping[str, Said]) -> bool:
        """Whether no more is wanted: all are known, or those in front are enough.

        That is asked again when there are a twentieth more of them: asked after every batch of a long corpus, it would
        take longer than the decoding.
        """
        while self._count < len(self._clips) and self._clips[self._count] in known:
            self._count += 1
        if self._count == len(self._clips):
            return True
        if self._enough is None or self._count < self._next:
            return False
        self._next = self._count + max(1, self._count // 20)
        return self._enough([known[clip][0] for clip in self._clips[: self._count]])


def _not_merged(spec: ModelSpec, missing: Sequence[str], count: int) -> DecodeError:
    return DecodeError(
        f"{spec} has not transcribed {len(missing)} of {count} utterances in any shard",
        where="--whisperq-merge",
        remedy="let the shards run the same tests and candidates as the run that judges",
    )


def clip_id(item: Utterance, facts: dict[str, ClipFacts]) -> str:
    """Return what identifies a transcript within a cache file: the sound, and the language the model was told."""
    return f"{facts[item.id].digest}:{item.language or 'detect'}"


def _leading(wanted: Sequence[tuple[str, Utterance]], known: Mapping[str, object]) -> list[tuple[str, Utterance]]:
    """Return what is wanted up to the first clip that is not known."""
    return list(takewhile(lambda row: row[0] in known, wanted))


def _suffices(wanted: Sequence[tuple[str, Utterance]], known: Mapping[str, Said], enough: Enough | None) -> bool:
    return _Leading([clip for clip, _ in wanted], enough).suffices(known)
