"""Quantization-aware training: a Whisper learns to say with rounded weights what it says with its own.

The float32 model is the teacher, and no reference is needed: the student hears the same window, is given what the
teacher said, and learns the teacher's distribution of each next token (Hinton et al., arXiv:1503.02531) and what its
encoder makes of the sound. Weights are rounded in the forward pass (`backends._fake_bits`), so that what is trained is
what a runtime computes with. Convolutions and the encoder's positions stay as they are.

Windows end behind their longest clip, but every fourth batch is of whole windows of 30 s, as models are gated on. Which
clips a batch has is drawn from the seed and its number alone: a run that was stopped and goes on ends with the weights
of one that was not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends import Grid, _fake_bits, _features, _whisper
from pytest_whisperq.speech.audio import SAMPLE_RATE, WINDOW_SECONDS
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.files import first_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

STATE = "state.safetensors"
"""The file that a run goes on from: weights, scales, and what the optimizer knows of each."""

BATCH_SECONDS = 48.0
"""How much sound a batch has, padding included."""

_WHOLE_EVERY = 4
_RATE, _SCALE_RATE, _WARM_UP = 0.004, 0.5, 50
"""A step at the highest rate, as a share of the root mean square of what learns; of scales half of it. Steps to it."""
_BETAS, _LONGEST_GRADIENT = (0.9, 0.98), 1.0
_LEAST = 0.01
"""The root mean square that is assumed of biases and norms that are nearly zero."""
_MARGIN = 0.5
"""Seconds of silence behind a clip that a shortened window holds."""
_FROZEN = ("encoder.conv1.", "encoder.conv2.", "encoder.embed_positions.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A clip and what the teacher said about it: ``tokens`` with prompt and end. ``load`` decodes its samples."""

    load: Callable[[], NDArray[np.float32]]
    seconds: float
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What decides the weights that a run ends with; ``model`` and ``corpus`` are identities, ``candidate`` a pair."""

    candidate: str
    model: str
    corpus: str
    steps: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """How far a student is from its teacher: the divergence of the next token, in nats, and the noise in the sound.

    The noise is that of what the encoder says, as a share of its energy.
    """

    tokens: float
    sound: float


class Training:
    """A teacher, and a student that learns from it step by step."""

    def __init__(self, source: Path, grid: Grid, examples: Sequence[Example], plan: Plan, threads: int) -> None:
        """Load the checkpoint in ``source`` twice; raise `ConfigError` for rows that groups do not divide."""
        torch = optional_imports.require("torch", extra="torch", purpose="train for a precision")
        model_class = optional_imports.require_attribute(
            "transformers", "WhisperForConditionalGeneration", extra="torch", purpose="train for a precision"
        )
        torch.set_num_threads(threads)
        self.plan, self._grid = plan, grid
        self._examples = sorted(examples, key=lambda one: one.seconds)
        self._front_end = _whisper.FrontEnd(source)
        options = {"dtype": torch.float32, "use_safetensors": True, "local_files_only": True}
        self._teacher = model_class.from_pretrained(source, **options).eval().requires_grad_(requires_grad=False)
        self.student = model_class.from_pretrained(source, **options).eval()
        self._names = _fake_bits.names(self.student, grid)
        self._weights = dict(self.student.named_parameters())
        _refuse_widths({name: self._weights[name].shape[-1] for name in self._names}, grid, plan.candidate)
        for name, weight in self._weights.items():
            weight.requires_grad_(not any(part in name for part in _FROZEN))
        with torch.no_grad():
            self._scales = {name: _fake_bits.fitted(self._weights[name], grid) for name in self._names}
        self._learning = {name: weight for name, weight in self._weights.items() if weight.requires_grad}
        self._learning |= {f"{name}.scale": scale.requires_grad_() for name, scale in self._scales.items()}
        self._rates = {
            name: _RATE * (_SCALE_RATE if name.endswith(".scale") else 1.0) * max(_size(value), _LEAST)
            for name, value in self._learning.items()
        }
        self._optimizer = torch.optim.Adam(
            [{"params": [value], "lr": self._rates[name]} for name, value in self._learning.items()], betas=_BETAS
        )
        self.step = 0

    def learn(self) -> Lost:
        """Take one step; return what was lost before it."""
        import torch
        from torch.nn import functional

        features, tokens, known = self._batch()
        share = min((self.step + 1) / _WARM_UP, 0.5 * (1 + math.cos(math.pi * self.step / self.plan.steps)))
        for group, rate in zip(self._optimizer.param_groups, self._rates.values(), strict=True):
            group["lr"] = rate * share
        with torch.no_grad():
            sound, expected = _hear(self._teacher, {}, features, tokens[:, :-1])
        heard, said = _hear(self.student, self.rounded(), features, tokens[:, :-1])
        divergence = functional.kl_div(
            said[known].log_softmax(-1), expected[known].log_softmax(-1), log_target=True, reduction="batchmean"
        )
        noise = (heard - sound).square().mean() / sound.square().mean()
        self._optimizer.zero_grad()
        (divergence + noise).backward()
        torch.nn.utils.clip_grad_norm_(self._learning.values(), _LONGEST_GRADIENT)
        self._optimizer.step()
        self.step += 1
        return Lost(tokens=divergence.item(), sound=noise.item())

    def rounded(self) -> dict[str, Tensor]:
        """Return the matrices that the student computes with, by name."""
        return {name: _fake_bits.fake(self._weights[name], self._scales[name], self._grid) for name in self._names}

    def save(self, directory: Path) -> dict[str, NDArray[np.float32]]:
        """Write the student as a checkpoint, its weights rounded, in float32: that holds every code times its scale.

        Returns the matrices that were rounded, by name. Rounding them again could choose another of two scales that
        are as good: whoever wants to know what was written takes these.
        """
        import torch

        with torch.no_grad():
            for name, value in self.rounded().items():
                self._weights[name].copy_(value)
        self.student.save_pretrained(directory)
        _whisper.copy_front_end(self._front_end.directory, directory)
        return {name: self._weights[name].detach().numpy() for name in self._names}

    def keep(self, path: Path) -> None:
        """Write all that the next step depends on."""
        from safetensors.torch import save_file

        tensors = {name: value.detach() for name, value in self._learning.items()}
        for name, value in self._learning.items():
            for key, known in self._optimizer.state[value].items():
                tensors[f"{name}@{key}"] = known
        told = {"plan": json.dumps(asdict(self.plan)), "step": str(self.step)}
        aside = path.with_name(f".{path.name}")  # a run that is killed while it writes has the state before
        save_file({name: value.contiguous() for name, value in tensors.items()}, aside, told)
        aside.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from what `keep` wrote; raise `ConfigError` where that was another run."""
        import torch
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt") as file:  # type: ignore[no-untyped-call, unused-ignore]
                told = dict(file.metadata() or {})
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            plan, step = json.loads(told["plan"]), int(told["step"])
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise ConfigError(
                f"the state of the run cannot be read ({type(error).__name__}: {first_line(error)})",
                where=str(path),
                remedy="delete the file to begin again",
            ) from error
        if other := [key for key, value in asdict(self.plan).items() if plan.get(key) != value]:
            raise ConfigError(
                f"holds a run with another {', '.join(other)}",
                where=str(path.parent),
                remedy="give the options of that run again, or name another folder",
            )
        with torch.no_grad():
            for name, value in self._learning.items():
                value.copy_(tensors[name])
                state = {key: tensors[f"{name}@{key}"] for key in ("step", "exp_avg", "exp_avg_sq")}
                self._optimizer.state[value] = state
        self.step = step

    def _batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return features (B, mels, frames), tokens (B, L), and where the next one is known (B, L − 1)."""
        import numpy as np
        import torch

        chosen, seconds = self._draw()
        extractor = self._front_end.extractor
        frames = round(seconds * SAMPLE_RATE) // int(extractor.hop_length)
        features = np.stack([_features.log_mel(extractor, one.load())[:, :frames] for one in chosen])
        longest = max(len(one.tokens) for one in chosen)
        ends = [longest - len(one.tokens) for one in chosen]
        tokens = [[*one.tokens, *one.tokens[-1:] * end] for one, end in zip(chosen, ends, strict=True)]
        known = [[True] * (len(one.tokens) - 1) + [False] * end for one, end in zip(chosen, ends, strict=True)]
        return torch.from_numpy(features), torch.tensor(tokens), torch.tensor(known)

    def _draw(self) -> tuple[list[Example], float]:
        """Return the examples of a batch, and the seconds of its window: a clip, and others that are about as long."""
        import numpy as np

        random = np.random.default_rng((self.plan.seed, self.step))
        last = int(random.integers(len(self._examples)))
        if self.step % _WHOLE_EVERY == _WHOLE_EVERY - 1:
            others = random.integers(len(self._examples), size=max(1, int(BATCH_SECONDS / WINDOW_SECONDS)))
            return [self._examples[int(one)] for one in others], float(WINDOW_SECONDS)
        seconds = min(float(WINDOW_SECONDS), math.ceil(self._examples[last].seconds + _MARGIN))
        count = max(1, int(BATCH_SECONDS / seconds))
        return self._examples[max(0, last + 1 - count) : last + 1], seconds


def _refuse_widths(widths: dict[str, int], grid: Grid, candidate: str) -> None:
    for name, width in widths.items():
        if grid.group and width % grid.group:
            raise ConfigError(
                f"rows of {name} have {width} weights, which groups of {grid.group} do not divide",
                where=candidate,
                remedy="train for a precision with a scale for each row",
            )


def _size(value: Tensor) -> float:
    return float(value.detach().square().mean().sqrt())


def _hear(model: Any, rounded: dict[str, Tensor], features: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the encoder says of windows of any length, and the scores of the token after each; shapes (B, ·, ·).

    ``rounded`` are weights that take the place of the model's own.
    """
    import torch

    class Whole(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.whisper = model

        def forward(self) -> tuple[Tensor, Tensor]:
            encoder = model.model.encoder
            sound = torch.nn.functional.gelu(encoder.conv1(features))
            sound = torch.nn.functional.gelu(encoder.conv2(sound)).transpose(1, 2)
            sound = sound + encoder.embed_positions.weight[: sound.shape[1]]
            for layer in encoder.layers:
                said = layer(sound, None)
                sound = said[0] if isinstance(said, tuple) else said  # a tuple in transformers 5.0
            sound = encoder.layer_norm(sound)
            decoded = model.model.decoder(input_ids=tokens, encoder_hidden_states=sound, use_cache=False)
            return sound, model.proj_out(decoded.last_hidden_state)

    replaced = {f"whisper.{name}": value for name, value in rounded.items()}
    heard: tuple[Tensor, Tensor] = torch.func.functional_call(Whole(), replaced, (), tie_weights=True)
    return heard
