"""Decode a corpus with a model, each utterance once however many gates, sessions and workers ask for it.

Transcripts are kept in ``transcripts/KEY.jsonl``, one line a clip, appended batch by batch: a killed run resumes, and a
warm run reads text without loading any model or runtime. Lines are sealed: what a damaged one held is decoded again,
and that is said (`transcript_file`).
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_whisperq.backends import Task, Transcriber, _whisper, code_digest, distributions, get_backend
from pytest_whisperq.decoding.decoder import Decoder
from pytest_whisperq.decoding.engine import Engine, Running, operations_of
from pytest_whisperq.decoding.shared_clips import SharedClips
from pytest_whisperq.decoding.transcript_file import Stored, TranscriptFile, read, read_clips, state_of
from pytest_whisperq.decoding.wanted import Enough, Heard, Leading, Wanted, clip_id
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.speech.clip_index import ClipFacts
from pytest_whisperq.speech.corpus import Corpus
from pytest_whisperq.system.cache_layout import CacheLayout
from pytest_whisperq.system.claims import Claims
from pytest_whisperq.system.errors import DecodeError, StoreError
from pytest_whisperq.system.keys import Names
from pytest_whisperq.system.machine import described, versions
from pytest_whisperq.system.on_disk import choose
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

_ENGINE = "engine"
"""The name that an exclusive engine claims besides clips."""

_VERBS: Mapping[Task, str] = {"transcribe": "decodes", "translate": "translates"}


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
    clips: Sequence[str]
    texts: Sequence[str]
    languages: Sequence[str | None]

    @property
    def fell_back(self) -> bool:
        """Whether something else executed than the precision promises."""
        return self.compute_type != self.spec.promised

    def at(self, places: Sequence[int]) -> "TranscriptSet":
        """Return what was said about the utterances in some places, in that order."""
        return replace(
            self,
            clips=choose(self.clips, places),
            texts=choose(self.texts, places),
            languages=choose(self.languages, places),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of what a model says about a corpus, in its order: texts and detected languages.

    A text is None where nothing is known of an utterance.
    """

    compute_type: str
    operations: str
    texts: Sequence[str | None]
    languages: Sequence[str | None]

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

    ``on_repair`` is told in a sentence what was damaged and is decoded again. Processes that decode with the same model
    at the same time share its clips (`system.claims`). One that ``is_complete`` decodes nothing.
    """

    def __init__(
        self,
        root: Path,
        decoder: Decoder,
        engine: Engine,
        on_repair: Callable[[str], None],
        *,
        is_complete: bool = False,
    ) -> None:
        self._is_complete = is_complete
        self._layout = CacheLayout(root)
        self._on_repair = on_repair
        self._decoder = decoder
        self._engine = engine
        self._store = decoder.store
        self._asked: list[Wanted] = []
        self._heard: dict[Path, tuple[tuple[int, ...], Wanted, Heard]] = {}
        """What each file says of what was wanted last of it, and in which state it was read."""

    def transcribe(
        self,
        spec: ModelSpec,
        corpus: Corpus,
        facts: Mapping[str, ClipFacts],
        enough: Enough | None = None,
        task: Task = "transcribe",
    ) -> TranscriptSet:
        """Return the transcripts of ``corpus``, or what another ``task`` gives; what is not cached yet is decoded.

        ``enough`` is asked after every batch whether to stop there. The transcripts are then those of the first
        utterances, as many as are known without a gap.

        Raises `DecodeError` when the model cannot run or executes another compute type than its precision promises.
        """
        wanted = self._wanted(corpus, facts)
        artifact = self._store.built(spec) or self._store.get(spec)
        path = self._path(artifact.spec, artifact.identity, task)
        heard = self._hear(path, wanted)
        if not heard.suffices(enough):
            if self._is_complete and task == "transcribe":  # shards do nothing else
                raise _not_merged(spec, sum(text is None for text in heard.texts), len(wanted.clips))
            artifact = self._store.intact(spec)  # before its weights speak
            path = self._path(artifact.spec, artifact.identity, task)
            with self._layout.decoding(path) as claims:
                self._decode(artifact, path, wanted, enough, task, claims)
            heard = self._hear(path, wanted)
            if not heard.suffices(enough):
                raise StoreError(
                    f"transcripts of {spec} were there, and are gone", where=str(path), remedy="run again; it resumes"
                )
        compute_type = heard.header.get("compute_type", "")
        self._decoder.attest(spec, compute_type)  # what is cached may have been decoded when a fallback was allowed
        texts, languages = heard.leading
        return TranscriptSet(
            spec=spec,
            artifact=artifact,
            compute_type=compute_type,
            operations=heard.header.get("operations", ""),
            clips=wanted.sounds[: heard.count],
            texts=texts,
            languages=languages,
        )

    def known(self, spec: ModelSpec, corpus: Corpus, facts: Mapping[str, ClipFacts]) -> Known:
        """Return what is in the cache of a model and ``corpus``; nothing is built or decoded."""
        artifact = self._store.built(spec)
        wanted = self._wanted(corpus, facts)
        heard = self._hear(self._path(artifact.spec, artifact.identity), wanted) if artifact else wanted.heard(Stored())
        return Known(
            compute_type=heard.header.get("compute_type", ""),
            operations=heard.header.get("operations", ""),
            texts=heard.texts,
            languages=heard.languages,
        )

    def _wanted(self, corpus: Corpus, facts: Mapping[str, ClipFacts]) -> Wanted:
        """Return what is wanted of a corpus; it is mostly one of the last two that were asked for."""
        wanted = next((one for one in self._asked if one.corpus is corpus), None) or Wanted.of(corpus, facts)
        self._asked = [wanted, *(one for one in self._asked if one is not wanted)][:2]
        return wanted

    def _hear(self, path: Path, wanted: Wanted) -> Heard:
        """Return what a file says of what is wanted; it is read again when somebody has added to it."""
        state = state_of(path)
        known = self._heard.get(path)
        if known is None or known[0] != state or known[1] is not wanted:
            self._heard[path] = known = state, wanted, wanted.heard(read(path, wanted.names))
        return known[2]

    def header(self, spec: ModelSpec) -> Mapping[str, Any]:
        """Return what the cache says of all transcripts of a model: what executed. Nothing where there are none."""
        artifact = self._store.built(spec)
        return next(iter(SealedFile(self._path(spec, artifact.identity))), {}) if artifact else {}

    def clips(self, spec: ModelSpec, corpus: Corpus, facts: Mapping[str, ClipFacts]) -> list[Mapping[str, Any]]:
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
        stored = read(path, Names(row["clip"] for row in clips))
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
        known = file.begin(Names(row["clip"] for row in clips))
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
        wanted: Wanted,
        enough: Enough | None,
        task: Task,
        claims: Claims,
    ) -> None:
        if self._engine.is_exclusive:
            claims.hold(_ENGINE)
        is_checked = False
        while not (heard := self._hear(path, wanted)).suffices(enough):
            missing = wanted.missing(text is not None for text in heard.texts)
            if not any(claims.is_free(wanted.clips[place]) for place in missing):
                claims.wait(wanted.clips[missing[0]])  # and load nothing: others decode all that is left
                continue
            if not is_checked and state_of(path) != self._heard[path][0]:  # perhaps they did so while this one looked
                is_checked = True  # once: while others decode, a large file has changed whenever it is read
                continue
            with self._engine.running(artifact, len(missing), task) as running:
                executes = {"compute_type": running.compute_type, "operations": running.operations}
                file = self._file(artifact, path, executes, task)
                shared = SharedClips(wanted, file, claims, self._decoder.batch)
                self._run(running, shared, enough, f"{artifact.spec} {_VERBS[task]}")
            return

    def _run(self, running: Running, shared: SharedClips, enough: Enough | None, doing: str) -> None:
        leading = Leading(shared.wanted.clips, enough)

        def suffices() -> bool:
            is_enough = leading.suffices(shared.known)
            left = 0 if is_enough else shared.left
            self._decoder.progress(f"{doing}{running.pace}", shared.done, shared.done + left)
            return is_enough

        is_enough = leading.suffices(shared.known)
        while not is_enough:
            with closing(running.decode(shared.batches())) as decoded:
                for batch, hypotheses in decoded:
                    shared.add(batch, hypotheses)
                    is_enough = suffices()
                    if is_enough:
                        break
            if not is_enough:
                shared.wait()
                is_enough = suffices()


def _not_merged(spec: ModelSpec, missing: int, count: int) -> DecodeError:
    return DecodeError(
        f"{spec} has not transcribed {missing} of {count} utterances in any shard",
        where="--whisperq-merge",
        remedy="let the shards run the same tests and candidates as the run that judges",
    )
