"""Who decodes a batch: a value that is put into the cache of transcripts, and the one that decodes in this process.

All above it is the same for every engine: what is cached, where decoding stops, what is judged. Batches may come back
in another order than they went.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import ClassVar, Protocol

from pytest_whisperq.backends import Hypothesis, MixesTypes, Task, Transcriber
from pytest_whisperq.decoding.decoder import Decoder
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.speech.corpus import Utterance

Batch = Mapping[str, Utterance]
"""What is decoded at once: utterances by what identifies their transcript (`transcript_cache.clip_id`)."""

Decoded = tuple[Batch, list[Hypothesis]]
"""A batch, and what a model says about each of its utterances."""


class Running(Protocol):
    """A model that is loaded, wherever that is."""

    @property
    def compute_type(self) -> str:
        """What executes."""
        ...

    @property
    def operations(self) -> str:
        """What the runtime says of its mix of types, "" where it mixes none."""
        ...

    @property
    def pace(self) -> str:
        """What progress says of where and how quickly is decoded, with a space before it; "" for nothing."""
        ...

    def decode(self, batches: Iterator[Batch]) -> Generator[Decoded]:
        """Yield batches as they are decoded; the next ones are taken only when there is somebody to decode them."""
        ...


class Engine(Protocol):
    """Decodes batches with built models."""

    @property
    def is_exclusive(self) -> bool:
        """Whether of several runs one decodes with a model, and the others wait: it takes all processors there are."""
        ...

    def check(self) -> None:
        """Raise `ConfigError` naming the option where nothing can be decoded; nothing is loaded or started."""
        ...

    def running(self, artifact: Artifact, clips: int, task: Task) -> AbstractContextManager[Running]:
        """Load a built model, to decode so many clips at most with one task; all of it ends with the block.

        Raises `DecodeError` when it cannot be loaded, or executes what it should not.
        """
        ...


def operations_of(transcriber: Transcriber) -> str:
    """Return what a runtime that mixes types says of them, "" for one that does not."""
    return transcriber.operations if isinstance(transcriber, MixesTypes) else ""


@dataclass(frozen=True, slots=True)
class InProcess:
    """Decodes in this process, batch after batch."""

    decoder: Decoder
    is_exclusive: ClassVar[bool] = False

    def check(self) -> None:
        """There is nothing to check."""

    @contextmanager
    def running(self, artifact: Artifact, clips: int, task: Task) -> Iterator["_Loaded"]:  # noqa: ARG002 - of the protocol
        """Load a built model, see `Engine.running`."""
        yield _Loaded(self.decoder, artifact, self.decoder.load(artifact), task)


@dataclass(frozen=True, slots=True)
class _Loaded:
    decoder: Decoder
    artifact: Artifact
    transcriber: Transcriber
    task: Task
    pace: str = ""

    @property
    def compute_type(self) -> str:
        return self.transcriber.compute_type

    @property
    def operations(self) -> str:
        return operations_of(self.transcriber)

    def decode(self, batches: Iterator[Batch]) -> Generator[Decoded]:
        for batch in batches:
            yield batch, self.decoder.run(self.artifact.spec, self.transcriber, list(batch.values()), self.task)
