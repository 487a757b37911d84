"""Which clip is in which file: digests and durations, remembered by the bytes of the recording.

Decoding five hundred recordings to learn that nothing changed would be most of a warm run. The index is keyed by the
SHA-256 of the encoded bytes and the decoder's version, so it cannot be stale. Reading a hundred thousand recordings to
digest them would be most of it, too: the digest of a file is remembered by its path, size and times, of which one
changes with whatever changes the file. Lines are sealed: a damaged one is forgotten, its recording read again, and that
is said.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from pytest_whisperq.speech import audio
from pytest_whisperq.speech.audio import WINDOW_SECONDS, AudioSource, Recording
from pytest_whisperq.speech.corpus import Corpus, Utterance
from pytest_whisperq.speech.integrity import Note
from pytest_whisperq.system.cache_layout import CacheLayout
from pytest_whisperq.system.errors import CorpusError
from pytest_whisperq.system.files import replace_text
from pytest_whisperq.system.garbage import no_search_for_garbage
from pytest_whisperq.system.growing import Growing
from pytest_whisperq.system.keys import Keys, key_of
from pytest_whisperq.system.machine import versions
from pytest_whisperq.system.on_disk import AS_IT_IS, FEW, Form, keep_by_name
from pytest_whisperq.system.sealed import SealedFile, damage, seal

UNSETTLED = 2 * 10**9
"""A file that changed so many ns ago may change again without another time: file systems count in up to 2 s."""


class ClipFacts(NamedTuple):
    """What is known of a clip without decoding it: identity (see `audio.pcm_digest`) and seconds.

    ``peak`` is its loudest sample, where full scale is 1, and ``notes`` is what may be wrong with its file.
    """

    digest: str
    seconds: float
    peak: float
    notes: tuple[Note, ...] = ()


def _made(plain: Sequence[Any]) -> ClipFacts:
    digest, seconds, peak, notes = plain
    return ClipFacts(digest, seconds, peak, tuple(Note(*note) for note in notes) if notes else ())


CLIP_FACTS = Form[ClipFacts](
    plain=lambda fact: (fact.digest, fact.seconds, fact.peak, tuple(map(tuple, fact.notes))), make=_made
)
"""How the facts of the clips of a large corpus are kept."""


def facts_of(recording: Recording) -> ClipFacts:
    """Return what is remembered of a clip that was decoded."""
    return ClipFacts(
        digest=audio.pcm_digest(recording.samples),
        seconds=recording.samples.shape[0] / audio.SAMPLE_RATE,
        peak=float(abs(recording.samples).max()),
        notes=recording.notes,
    )


class AudioIndex:
    """Facts about every clip of a corpus. ``on_repair`` is told in a sentence what was damaged and is made again."""

    def __init__(self, root: Path, on_repair: Callable[[str], None]) -> None:
        self._layout = CacheLayout(root)
        self._path = self._layout.audio_index
        with no_search_for_garbage():
            self._stored = SealedFile(self._path)
            self._known = keep_by_name(_facts(self._stored), CLIP_FACTS)
            self._new = Growing(CLIP_FACTS)
            self._files = FileDigests(self._layout, on_repair)
        self._on_repair = on_repair
        self._decoder = f"{audio.REVISION}:{versions(('soundfile', 'soxr', 'av'))}"

    def probe(self, corpus: Corpus, on_progress: Callable[[int, int], None]) -> Mapping[str, ClipFacts]:
        """Return the facts of every utterance by id, decoding only recordings never seen before.

        This is where broken audio shows: raises `CorpusError` naming the manifest line and the file.
        """
        is_broken = self._stored.damaged or self._stored.is_cut
        if self._stored.damaged:
            lines = damage(self._stored.damaged, self._stored.count)
            self._on_repair(f"audio index in the cache: {lines} damaged; the recordings are read again")
        try:
            facts = keep_by_name(self._probed(corpus, on_progress), CLIP_FACTS)
        finally:
            if is_broken or len(self._new):  # also when a clip is broken: others are not decoded again
                self._write()
            self._files.write()
        _refuse_contradictions(corpus, facts)
        return facts

    def _probed(self, corpus: Corpus, on_progress: Callable[[int, int], None]) -> Iterator[tuple[str, ClipFacts]]:
        files: dict[str, str] = {}
        is_news = False
        for done, item in enumerate(corpus.utterances, start=1):
            if len(files) > FEW:
                files.clear()
            try:
                key = self._key(item.audio, files)
                fact = self._known.get(key) or self._new.get(key)
                if fact is None:
                    fact, is_news = facts_of(audio.read(item.audio, WINDOW_SECONDS)), True
                    self._new.add(key, fact)
            except CorpusError as error:
                raise error.within(item.where) from error
            yield item.id, fact
            if is_news:
                on_progress(done, len(corpus.utterances))

    def _key(self, source: AudioSource, files: dict[str, str]) -> str:
        """Return what a clip is remembered by; ``files`` keeps the digests of files that hold several clips."""
        digest = files.get(source.file) if source.file else None
        if digest is None:
            digest = self._files.digest(source)
            if source.file:
                files[source.file] = digest
        span = f"{self._decoder}:{source.offset}:{source.seconds}:{digest}"
        return hashlib.sha256(span.encode()).hexdigest()

    def _write(self) -> None:
        with self._layout.locked(self._path):  # another run may have added recordings meanwhile
            there = ((key, fact) for key, fact in _facts(SealedFile(self._path)) if key not in self._new)
            rows = ({"recording": key, **fact._asdict()} for key, fact in chain(there, self._new.items()))
            replace_text(self._path, (seal(row, self._path.name) for row in rows))


_State = tuple[int, ...]


class FileDigests:
    """The digest of every recording's bytes, remembered by its path for as long as its size and times stay."""

    def __init__(self, layout: CacheLayout, on_repair: Callable[[str], None]) -> None:
        self._layout = layout
        self._path = layout.audio_files
        stored = SealedFile(self._path)
        self._known = keep_by_name(_states(stored), AS_IT_IS)
        self._new: Growing[tuple[_State, str]] = Growing(AS_IT_IS)
        if stored.damaged:
            lines = damage(stored.damaged, stored.count)
            on_repair(f"digests of recordings in the cache: {lines} damaged; those files are read again")
        self._is_news = bool(stored.damaged or stored.is_cut)

    def digest(self, source: AudioSource) -> str:
        """Return the SHA-256 of a recording's bytes, which are read where its file may have changed since."""
        name = source.file or ""
        state = _state(name) if name else None
        known = (self._new.get(name) or self._known.get(name)) if state else None
        if known and known[0] == state:
            return known[1]
        with source.open() as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if state and state == _state(name) and max(state[1:]) < time.time_ns() - UNSETTLED:
            self._new.add(name, (state, digest))
            self._is_news = True
        return digest

    def write(self) -> None:
        """Keep what was digested since."""
        if not self._is_news:
            return
        with self._layout.locked(self._path):
            there = ((name, one) for name, one in _states(SealedFile(self._path)) if name not in self._new)
            known = chain(there, self._new.items())
            rows = ({"file": name, "state": state, "digest": digest} for name, (state, digest) in known)
            replace_text(self._path, (seal(row, self._path.name) for row in rows))
        self._is_news = False


def _state(file: str) -> _State | None:
    """Return size, time of the last change of the bytes, and of any change, in ns; None for a file that is not there.

    The last one is the system's own: a copy that keeps the size and the time of the bytes has another.
    """
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _states(lines: SealedFile) -> Iterator[tuple[str, tuple[_State, str]]]:
    return ((row["file"], (tuple(row["state"]), row["digest"])) for row in lines)


def _facts(lines: SealedFile) -> Iterator[tuple[str, ClipFacts]]:
    names = "digest", "seconds", "peak", "notes"
    return ((row["recording"], _made([row[name] for name in names])) for row in lines)


def _refuse_contradictions(corpus: Corpus, facts: Mapping[str, ClipFacts]) -> None:
    """Refuse a recording that is listed twice with different transcripts: one of them is wrong."""
    several = Keys.of(fact.digest for fact in facts.values()).repeated()
    first: dict[str, Utterance] = {}
    for item in corpus.utterances if several else ():
        sound = facts[item.id].digest
        other = first.setdefault(sound, item) if key_of(sound) in several else item
        if other.reference != item.reference:
            raise CorpusError(
                f"{item.id} is the same recording as {other.id} ({other.where}) but with another transcript",
                where=item.where,
                remedy="correct or remove one of them",
            )
