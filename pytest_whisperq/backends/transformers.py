"""PyTorch through transformers: the default baseline, and the float32 checkpoint that everything is built from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends import (
    Backend,
    Calibration,
    Clip,
    Hypothesis,
    Task,
    TimedText,
    TimedWord,
    _checkpoint,
    _dynamic_int8,
    _generate,
    _simulated_bits,
    _torchao,
    _weights,
    _whisper,
    check_precision,
)
from pytest_whisperq.speech.audio import WINDOW_SECONDS
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.devices import CPU
from pytest_whisperq.system.errors import BuildError, DecodeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PURPOSE = "run Whisper in PyTorch"
_DYNAMIC, _WEIGHTS = "int8-dynamic", "model.safetensors"


class TransformersBackend(Backend):
    """``WhisperForConditionalGeneration`` on the CPU, or on a GPU."""

    name = "transformers"
    extra = "torch"
    modules = ("torch", "transformers", "safetensors")
    distributions = ("torch", "transformers", "tokenizers")
    # Dynamic int8 multiplies in 8 bits, and all else is float32: what CTranslate2 calls int8_float32.
    precisions: Mapping[str, str] = MappingProxyType(
        {
            "float32": "float32",
            "bfloat16": "bfloat16",
            "float16": "float16",
            _DYNAMIC: "int8_float32",
            **_torchao.PRECISIONS,
            **_simulated_bits.PRECISIONS,
        }
    )
    recommended = _DYNAMIC
    simulated = frozenset(_simulated_bits.PRECISIONS)
    by_name = frozenset({*_torchao.PRECISIONS, *simulated})
    requirements = _torchao.REQUIREMENTS
    grids = _simulated_bits.GRIDS
    # PyTorch's dynamic int8 has kernels for CPUs alone.
    on_device: Mapping[str, Sequence[str]] = MappingProxyType({"cuda": ("float16", "bfloat16", "float32")})
    weights = ("*.safetensors",)
    build_memory: Mapping[str, float] = MappingProxyType(
        {
            "float32": 2.1,
            **dict.fromkeys(("bfloat16", "float16"), 1.6),
            _DYNAMIC: 3.2,
            **dict.fromkeys(_simulated_bits.PRECISIONS, 1.5),
        }
    )
    # Nothing falls back: PyTorch computes in every one of these types on any processor, however slowly.

    def base(self, precision: str) -> tuple[str, str] | None:
        """Start from the source checkpoint; other precisions from its float32 form."""
        return None if precision == "float32" else (self.name, "float32")

    def build(self, precision: str, source: Path, directory: Path, calibration: Calibration | None) -> list[str]:
        """Save the checkpoint as safetensors of the precision's type, whatever it was; name weights without a use.

        Raises `BuildError` for weights that are not those of the config.
        """
        check_precision(self, precision)
        import torch

        is_plain = precision not in {_DYNAMIC, *_torchao.PRECISIONS, *self.simulated}
        dtype = getattr(torch, precision) if is_plain else torch.float32
        model, notes = _load(source, dtype)
        if precision == "float32":  # a candidate that its own precision breaks is judged
            _weights.check_values(source, model)
        front_end = _whisper.FrontEnd(source)
        _checkpoint.check(front_end, tokens=model.config.vocab_size, mels=model.config.num_mel_bins)
        if precision == "float32" and (unused := _checkpoint.outdated(source, front_end.generation)):
            notes.append(unused)
        if is_plain:
            model.save_pretrained(directory)
        else:
            model.config.save_pretrained(directory)
            model.generation_config.save_pretrained(directory)
        if precision == _DYNAMIC:
            _dynamic_int8.save(_dynamic_int8.quantize(model), directory / _WEIGHTS)
        elif precision in _torchao.PRECISIONS:
            _torchao.save(_torchao.quantize(model, precision), directory / _WEIGHTS)
        elif precision in self.simulated:
            notes.append(_simulated_bits.save(model, precision, directory / _WEIGHTS))
        _whisper.copy_front_end(source, directory)
        return notes

    def rounded(self, precision: str, directory: Path) -> "dict[str, NDArray[np.float32]]":
        """Return the matrices of a model of `grids`; see `RoundsToGrid`."""
        model, _ = _simulated_bits.restore(_empty(directory), directory / _WEIGHTS)
        return _simulated_bits.matrices(model)

    def load(self, precision: str, directory: Path, threads: int) -> "TransformersTranscriber":
        """Load a model in the type it was stored in."""
        check_precision(self, precision)
        return TransformersTranscriber(directory, threads, precision)

    def lacks(self, device: str) -> str:
        """Ask PyTorch for a GPU; see `RunsOnDevices`."""
        torch = optional_imports.require("torch", extra=self.extra, purpose=_PURPOSE)
        if torch.version.cuda is None:
            return f"torch {torch.__version__} is built without CUDA; install one with it, as pytorch.org says"
        if not torch.cuda.is_available():
            return (
                f"torch finds no GPU for {device}; it needs NVIDIA's driver for CUDA {torch.version.cuda}, and a GPU "
                "that CUDA_VISIBLE_DEVICES does not hide"
            )
        return ""

    def falls_back_on(self, device: str) -> Mapping[str, str]:
        """Nothing falls back, as on a CPU; see `RunsOnDevices`."""
        return {}

    def load_on(self, device: str, precision: str, directory: Path, threads: int) -> "TransformersTranscriber":
        """Load onto a device; see `RunsOnDevices`. Raises `DecodeError` for a precision without a way there."""
        if precision not in self.on_device[device]:
            raise DecodeError(f"{self.name}:{precision} has no way to compute on {device}", remedy="gate it on the CPU")
        return TransformersTranscriber(directory, threads, precision, device)


class TransformersTranscriber(_generate.Stages):
    """A model and its front end."""

    def __init__(self, directory: Path, threads: int, precision: str, device: str = CPU) -> None:
        import torch

        torch.set_num_threads(threads)
        self._front_end = _whisper.FrontEnd(directory)
        self._dynamic = precision == _DYNAMIC
        shorter = ""
        if self._dynamic:
            model = _dynamic_int8.restore(_empty(directory), directory / _WEIGHTS)
        elif precision in _torchao.PRECISIONS:
            model = _torchao.restore(_empty(directory), precision, directory / _WEIGHTS)
            shorter = _torchao.executes(model)
        elif precision in TransformersBackend.simulated:
            model, shorter = _simulated_bits.restore(_empty(directory), directory / _WEIGHTS)
        else:
            model, _ = _load(directory, "auto")
        _checkpoint.check(self._front_end, tokens=model.config.vocab_size, mels=model.config.num_mel_bins)
        if device != CPU:
            _refuse_tf32()
        self._model = model.eval().to(device)
        self.compute_type = f"{_compute_type(self._model)}{shorter}"
        self.device = _device(self._model)

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch; see `Transcriber`.

        Dynamic int8 takes one scale for the activations of a whole batch, so its clips are decoded alone: what is
        said about a clip must not depend on its neighbours.
        """
        return self._short(clips, "transcribe")

    def translate(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch in English; see `Translates`."""
        return self._short(clips, "translate")

    def _short(self, clips: Sequence[Clip], task: Task) -> list[Hypothesis]:
        batches = [[clip] for clip in clips] if self._dynamic else [clips]
        return [text for batch in batches for text in _generate.short(self._model, self._front_end, batch, task)]

    def transcribe_timed(self, clips: Sequence[Clip]) -> list[TimedText]:
        """Decode with timestamps, words included; see `Transcriber`."""
        batches = [[clip] for clip in clips] if self._dynamic else [clips]
        return [text for batch in batches for text in _generate.timed(self._model, self._front_end, batch, words=True)]

    def transcribe_words(self, clip: Clip) -> tuple[TimedWord, ...]:
        """Decode one clip, words with their times; see `Transcriber`."""
        return _generate.timed(self._model, self._front_end, [clip], words=True)[0].words

    def transcribe_long(self, samples: "NDArray[np.float32]", language: str | None) -> str:
        """Decode a recording of any length window after window, each from where the last segment ended."""
        return _generate.sequential(self._model, self._front_end, samples, language)

    def transcribe_chunked(
        self,
        samples: "NDArray[np.float32]",
        language: str | None,
        *,
        chunk_seconds: float = WINDOW_SECONDS,
        batch_size: int = _generate.CHUNK_BATCH,
    ) -> str:
        """Decode a recording of any length in overlapping chunks; dynamic int8 takes them one by one."""
        return _generate.chunked(
            self._model,
            self._front_end,
            samples,
            language,
            chunk_seconds=chunk_seconds,
            batch_size=1 if self._dynamic else batch_size,
        )


def _compute_type(model: Any) -> str:
    """Read back what computes: the type of all parameters, and whether every linear layer is an int8 one."""
    import torch

    types = sorted({str(value.dtype).removeprefix("torch.") for value in model.parameters()})
    layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    quantized = any(map(_dynamic_int8.is_quantized, model.modules()))
    if quantized and not layers:
        types = [f"int8_{name}" for name in types]
    elif quantized:
        types.append("int8 in some layers")
    return " + ".join(types)


def _device(model: Any) -> str:
    """Read back where all parameters and buffers lie: ``cuda``, or ``cpu + cuda`` of a model that is torn apart."""
    return " + ".join(sorted({value.device.type for value in (*model.parameters(), *model.buffers())}))


def _refuse_tf32() -> None:
    """Have GPUs compute float32 as that: left alone, convolutions have 10 bits where float32 has 23.

    Raises `DecodeError` where PyTorch was told otherwise from outside.
    """
    import torch

    switches = torch.backends.cudnn, torch.backends.cuda.matmul
    for one in switches:
        one.allow_tf32 = False
    if any(one.allow_tf32 for one in switches):
        raise DecodeError(
            "PyTorch computes float32 in TF32 here, whatever it is told",
            where="TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
            remedy="unset it",
        )


def _load(directory: Path, dtype: Any) -> tuple[Any, list[str]]:
    """Return the model in ``directory``, computing in ``dtype``, and in words which weights it has no use for.

    Raises `BuildError` for weights that are not those of the config.
    """
    _weights.check_files(directory)
    _whisper.generation_config(directory)  # transformers passes over one that it cannot read
    model, loading_info = _model_class().from_pretrained(
        directory,
        dtype=dtype,
        use_safetensors=True,
        local_files_only=True,
        ignore_mismatched_sizes=True,  # they are listed in what is found, and refused by name
        output_loading_info=True,
    )
    if model.config.model_type != "whisper":
        raise BuildError(
            f"{directory} is a {model.config.model_type!r} checkpoint", remedy="only Whisper models can be gated"
        )
    return model, _weights.unused(directory, loading_info, is_tied=bool(model.config.tie_word_embeddings))


def _empty(directory: Path) -> Any:
    """Return the model of a ``config.json``, whose weights are still to be read."""
    model_class = _model_class()
    model = model_class(model_class.config_class.from_pretrained(directory, local_files_only=True))
    generation = optional_imports.require_attribute("transformers", "GenerationConfig", extra="torch", purpose=_PURPOSE)
    model.generation_config = generation.from_pretrained(directory, local_files_only=True)
    return model


def _model_class() -> Any:
    return optional_imports.require_attribute(
        "transformers", "WhisperForConditionalGeneration", extra="torch", purpose=_PURPOSE
    )
