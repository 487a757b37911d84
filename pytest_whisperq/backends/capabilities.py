"""What a loaded model can do: `Transcriber` is what every backend's models can, each other protocol one ability more.

A gate that needs an ability asks ``isinstance(transcriber, TellsTimes)``: a backend has it by having the method. All of
them decode greedily, like `Transcriber.transcribe`. Abilities of the backend itself are `ChoosesCheckpoints`,
`RunsOnDevices`, `RunsReadyMade`, `RunsFiles` and `MixesBlocks`.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_whisperq.backends.values import Calibration, Clip, Grid, Hypothesis, Noise, ReadyMade, TimedText, TimedWord

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Transcriber(Protocol):
    """A loaded model. ``compute_type`` is read back from the runtime, never assumed."""

    compute_type: str

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch greedily, task transcribe, without timestamps; one hypothesis a clip, in order.

        A clip without a language is decoded in the one detected.
        """
        ...


@runtime_checkable
class MixesTypes(Protocol):
    """A runtime that executes layers in several types. ``operations`` says how many in which, for people to read."""

    operations: str


@runtime_checkable
class TellsDevice(Protocol):
    """A runtime that computes on several devices. ``device`` is read back: where it says that the model is.

    It is ``cpu`` or ``cuda``, or begins so: ``cuda:0``.
    """

    device: str


@runtime_checkable
class SharesProcessors(Protocol):
    """A runtime that computes elsewhere than in torch, and says how many threads torch may have beside it.

    Mostly 1: torch's threads spin for a while after what they did, on the processors that the runtime's then wait for.
    """

    torch_threads: int


@runtime_checkable
class Translates(Protocol):
    """Says in English what is said in another language. No English-only model can."""

    def translate(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch as `Transcriber.transcribe` does, task translate; a clip has the language that is spoken."""
        ...


@runtime_checkable
class HearsLong(Protocol):
    """Hears recordings of any length."""

    def transcribe_long(self, samples: "NDArray[np.float32]", language: str | None) -> str:
        """Return what is said in ``samples``, shape (n,), 16 kHz mono, in its own way from window to window."""
        ...


@runtime_checkable
class TellsTimes(Protocol):
    """Says when it hears what."""

    def transcribe_timed(self, clips: Sequence[Clip]) -> list[TimedText]:
        """Decode a batch with timestamps; one text a clip, in order."""
        ...


@runtime_checkable
class TellsWordTimes(Protocol):
    """Finds out when words are said, rather than spreading them evenly: what streams are merged by."""

    def transcribe_words(self, clip: Clip) -> tuple[TimedWord, ...]:
        """Decode one clip into words with their times."""
        ...


@runtime_checkable
class Aligns(Protocol):
    """Finds out when the words of a text that is known were said."""

    def align(self, clip: Clip, transcript: "str | Sequence[int]") -> tuple[TimedWord, ...]:
        """Return the words of a text, or of token ids, with their times."""
        ...


@runtime_checkable
class Staged(Protocol):
    """A transcriber whose stages can be timed apart, one clip of one window at a time, for the speed gates.

    What one method returns goes into the next, in whatever form the runtime takes it.
    """

    def prepare(self, clip: Clip) -> Any:
        """Return the features of a clip, padded to the model's 30 s window."""
        ...

    def encode(self, features: Any) -> Any:
        """Run the encoder over the window. What it returns has to outlive the next call."""
        ...

    def replay(self, encoded: Any, clip: Clip, tokens: Sequence[int]) -> None:
        """Let the decoder say ``tokens``, one after the other, whatever it would say itself; the clip has a language.

        A runtime that takes no tokens from outside says as many of its own: a step costs the same for any token.
        Raises `DecodeError` if it said more or fewer.
        """
        ...


@runtime_checkable
class ChoosesCheckpoints(Protocol):
    """A backend whose runtime cannot run every Whisper."""

    def refusal(self, source: Path) -> str:
        """Return why it cannot be built of the checkpoint in a folder, from its ``config.json`` alone; "" where it can.

        Nothing is built then, and ``--whisperq-backend all`` leaves the backend out.
        """
        ...


@runtime_checkable
class RunsOnDevices(Protocol):
    """A backend that computes elsewhere than on the CPU, too: what ``--whisperq-device`` needs."""

    on_device: Mapping[str, Sequence[str]]
    """Each such device → the precisions that it executes, the recommended one first."""

    def lacks(self, device: str) -> str:
        """Return why nothing can be computed on a device of this machine, and what to do; "" where it can."""
        ...

    def falls_back_on(self, device: str) -> Mapping[str, str]:
        """Do what `Backend.falls_back` does, for a device that this machine does not lack."""
        ...

    def load_on(self, device: str, precision: str, directory: Path, threads: int) -> Transcriber:
        """Do what `Backend.load` does, on a device.

        The transcriber says where it is (`TellsDevice`).
        """
        ...


@runtime_checkable
class RunsReadyMade(Protocol):
    """A backend that runs models as somebody else has converted them: what ``BACKEND@FOLDER`` needs."""

    def look(self, directory: Path) -> ReadyMade | None:
        """Return what lies in a folder, read from its files alone; None where it is no model of this backend.

        `Backend.load` is given a folder with links to `ReadyMade.files` and the files that they lack. Where it is asked
        for another precision than the stored one, it has the runtime convert while it loads. Raises `BuildError` for a
        model that is damaged, or of which a part is missing.
        """
        ...


@runtime_checkable
class RunsFiles(RunsReadyMade, Protocol):
    """A backend whose models are files by themselves: its `look` is given a folder or a file.

    ``is_one_file`` says that it is. Tokenizer and features are the checkpoint's.
    """

    is_one_file: bool


@runtime_checkable
class RoundsToGrid(Protocol):
    """A backend of which it is known how some builds round weights, so that a model can be trained for them.

    ``grids`` has these precisions. A build of weights that lie on the grid already changes none of them.
    """

    grids: Mapping[str, Grid]

    def rounded(self, precision: str, directory: Path) -> "Mapping[str, NDArray[np.float32]]":
        """Return the matrices that a build rounded, as they are computed with, by their names in a checkpoint."""
        ...


class Mixed(Protocol):
    """A model in float32 and quantized, of which any blocks can be quantized and the others not, and some clips."""

    @property
    def blocks(self) -> Sequence[str]:
        """Its blocks, such as ``encoder.layers.3``, in their order."""
        ...

    def executes(self, float32: Collection[str]) -> bool:
        """Return whether its precision is what executes with the blocks ``float32`` left in float32.

        As it is read back when such a model is loaded, so that no build makes what loading would refuse.
        """
        ...

    def transcribe(self, chosen: Collection[str]) -> list[Hypothesis]:
        """Decode its clips like `Transcriber.transcribe`, with the ``chosen`` blocks quantized."""
        ...

    def noise(self) -> Mapping[str, Noise]:
        """Return what each quantized block does alone, measured on a few of its clips."""
        ...


@runtime_checkable
class MixesBlocks(Protocol):
    """A backend that can leave blocks of a model in float32: what ``--whisperq-ignored-blocks`` and a diagnosis need.

    ``by_block`` are the precisions of which it can.
    """

    by_block: frozenset[str]

    def build_without(
        self, ignored: Sequence[str], precision: str, source: Path, directory: Path, calibration: Calibration | None
    ) -> Sequence[str] | None:
        """Do what `Backend.build` does, but leave the blocks ``ignored`` in float32."""
        ...

    def mix(self, original: Path, quantized: Path, clips: Sequence[Clip], threads: int) -> Mixed:
        """Load the float32 model in a folder and one that was quantized of it, to listen to ``clips``."""
        ...
