"""Decode a corpus with a model, each utterance once however many gates, sessions and workers ask for it.

Transcripts are kept in ``transcripts/KEY.jsonl``, one line a clip, appended batch by batch: a killed run resumes, and a
warm run reads text without loading any model or runtime. Lines are sealed: what a damaged one held is decoded again,
and that is said. The first line says what executed; without it nobody could say what the others are.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from pytest_whisperq.backends import MixesTypes, Transcriber, _whisper, code_digest, get_backend
from pytest_whisperq.decoding.decoder import Decoder
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.speech.clip_index import ClipFacts
from pytest_whisperq.speech.corpus import Corpus, Utterance
from pytest_whisperq.system.cache_layout import CacheLayout
from pytest_whisperq.system.files import replace_text
from pytest_whisperq.system.machine import cpu_features, versions
from pytest_whisperq.system.sealed import SealedLines, read_sealed, seal, sealed

DECODING = {
    "task": "transcribe",
    "beam_size": 1,
    "timestamps": False,
    "max_new_tokens": _whisper.MAX_NEW_TOKENS,
    "revision": 5,
}
"""How every model decodes, on every backend. The revision is raised when a backend's way of running changes, which
retires every older transcript."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the cache holds of what a model says about a corpus: texts and detected languages by utterance."""

    compute_type: str = ""
    operations: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    languages: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """A file of transcripts: what executed, text and language by clip, and the lines they come from.

    Without a sound first line there are no texts: nobody could say what executed.
    """

    header: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    lines: SealedLines = field(default_factory=SealedLines)


def operations_of(transcriber: Transcriber) -> str:
    """Return what a runtime that mixes types says of them, "" for one that does not."""
    return transcriber.operations if isinstance(transcriber, MixesTypes) else ""


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
    """Transcripts by artifact, decoding options, library versions and processor features.

    ``on_repair`` is told in a sentence what was damaged and is decoded again.
    """

    def __init__(self, root: Path, decoder: Decoder, on_repair: Callable[[str], None]) -> None:
        self._layout = CacheLayout(root)
        self._on_repair = on_repair
        self._decoder = decoder
        self._store = decoder.store

    def transcribe(
        self, spec: ModelSpec, corpus: Corpus, facts: dict[str, ClipFacts], enough: Enough | None = None
    ) -> TranscriptSet:
        """Return the transcripts of ``corpus``, decoding what is not cached yet.

        ``enough`` is asked after every batch whether to stop there. The transcripts are then those of the first
        utterances, as many as are known without a gap.

        Raises `DecodeError` when the model cannot run or executes another compute type than its precision promises.
        """
        wanted = [(_clip_id(item, facts), item) for item in corpus.utterances]
        artifact = self._store.get(spec)
        path = self._path(artifact)
        stored = _read(path)
        if not _suffices(wanted, stored.texts, enough):
            artifact = self._store.intact(spec)  # before its weights speak
            path = self._path(artifact)
            with self._layout.locked(path):
                self._decode(artifact, path, wanted, enough)
            stored = _read(path)
        compute_type = stored.header.get("compute_type", "")
        self._decoder.attest(spec, compute_type)  # what is cached may have been decoded when a fallback was allowed
        wanted = _leading(wanted, stored.texts)
        return TranscriptSet(
            spec=spec,
            artifact=artifact,
            compute_type=compute_type,
            operations=stored.header.get("operations", ""),
            clips=tuple(facts[item.id].digest for _, item in wanted),
            texts=tuple(stored.texts[clip][0] for clip, _ in wanted),
            languages=tuple(stored.texts[clip][1] for clip, _ in wanted),
        )

    def known(self, spec: ModelSpec, corpus: Corpus, facts: dict[str, ClipFacts]) -> Known:
        """Return what is in the cache of a model and ``corpus``; nothing is built or decoded."""
        artifact = self._store.built(spec)
        if artifact is None:
            return Known()
        stored = _read(self._path(artifact))
        ids = {item.id: clip for item in corpus.utterances if (clip := _clip_id(item, facts)) in stored.texts}
        return Known(
            compute_type=stored.header.get("compute_type", ""),
            operations=stored.header.get("operations", ""),
            texts={name: stored.texts[clip][0] for name, clip in ids.items()},
            languages={name: stored.texts[clip][1] for name, clip in ids.items()},
        )

    def _path(self, artifact: Artifact) -> Path:
        """Return the file of a model's transcripts, by all that decides what it says.

        Not by the precision it was asked for, in our backends: of two that come to the same weights and run them in the
        same type (int8 and int8-float32 of CTranslate2), one is decoded for both. Others may load them differently.
        """
        spec = artifact.spec
        backend = get_backend(spec.backend)
        code = code_digest(backend)
        model = [spec.backend, spec.source.identity, code, artifact.identity, spec.promised]
        model += [spec.precision] if code else []
        model += [spec.folder.identity] if spec.folder else []  # its front end is its own
        recipe = [*model, DECODING, versions(backend.distributions), cpu_features()]
        key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:32]
        return self._layout.transcript_file(key)

    def _decode(
        self, artifact: Artifact, path: Path, wanted: Sequence[tuple[str, Utterance]], enough: Enough | None
    ) -> None:
        stored = _read(path)
        if _suffices(wanted, stored.texts, enough):  # another worker was faster
            return
        transcriber = self._decoder.load(artifact)
        if stored.lines.damaged:
            damage = stored.lines.damage
            self._on_repair(f"transcripts of {artifact.spec} in the cache: {damage} damaged; decoded again")
        executes = {"compute_type": transcriber.compute_type, "operations": operations_of(transcriber)}
        if stored.header.get("compute_type") != transcriber.compute_type:  # the same runtime may be told otherwise
            stored = _Stored()
        if not stored.header or stored.lines.damaged or stored.lines.is_cut:
            header = {**executes, "model": str(artifact.spec), "artifact": artifact.key, **DECODING}
            replace_text(path, sealed(stored.lines.records or (header,), path.name))
        known = dict(stored.texts)
        todo = {clip: item for clip, item in wanted if clip not in known}
        done = 0
        with path.open("a", encoding="utf-8") as file:
            names = {item.id: clip for clip, item in todo.items()}
            for batch in self._decoder.batches(list(todo.values())):
                clips = [names[item.id] for item in batch]
                for clip, hypothesis in zip(clips, self._decoder.run(artifact.spec, transcriber, batch), strict=True):
                    record = {
                        "clip": clip,
                        "text": hypothesis.text,
                        "language": hypothesis.language,
                        "tokens": hypothesis.tokens,
                    }
                    file.write(seal(record, path.name))
                    known[clip] = hypothesis.text, hypothesis.language
                file.flush()
                done += len(batch)
                stop = _suffices(wanted, known, enough)
                self._decoder.progress(f"{artifact.spec} decodes", done, done if stop else len(todo))
                if stop:
                    break


def _clip_id(item: Utterance, facts: dict[str, ClipFacts]) -> str:
    """Return what identifies a transcript within a cache file: the sound, and the language the model was told."""
    return f"{facts[item.id].digest}:{item.language or 'detect'}"


def _leading(wanted: Sequence[tuple[str, Utterance]], known: Mapping[str, object]) -> list[tuple[str, Utterance]]:
    """Return what is wanted up to the first clip that is not known."""
    return list(takewhile(lambda row: row[0] in known, wanted))


def _suffices(
    wanted: Sequence[tuple[str, Utterance]], known: Mapping[str, tuple[str, str | None]], enough: Enough | None
) -> bool:
    leading = _leading(wanted, known)
    return len(leading) == len(wanted) or (enough is not None and enough([known[clip][0] for clip, _ in leading]))


def _read(path: Path) -> _Stored:
    lines = read_sealed(path)
    header, *clips = lines.records or ({},)
    if "compute_type" not in header:
        return _Stored(lines=lines)
    return _Stored(header=header, texts={row["clip"]: (row["text"], row["language"]) for row in clips}, lines=lines)
