"""OpenVINO through optimum-intel and NNCF, every runtime hint that changes numbers pinned."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends import (
    Backend,
    Calibration,
    Clip,
    Grid,
    Hypothesis,
    ReadyMade,
    TimedText,
    _checkpoint,
    _generate,
    _openvino_blocks,
    _openvino_codebooks,
    _openvino_codes,
    _openvino_graph,
    _openvino_ir,
    _openvino_mixed,
    _openvino_mixture,
    _openvino_ptq,
    _whisper,
    check_precision,
)
from pytest_whisperq.system import optional_imports

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PURPOSE = "build and run OpenVINO models"

optional_imports.refuse_telemetry()

# NNCF's weight compression: mode, and whether one scale serves a whole channel (-1) or a group of this many weights.
_WEIGHT_MODES: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "int8": ("INT8_ASYM", -1),
        "int4-sym": ("INT4_SYM", 64),
        "int4-asym": ("INT4_ASYM", 64),
        "int3-sym": ("INT3_SYM", 64),
        "int2-sym": ("INT2_SYM", -1),
        "nf4": ("NF4", 64),
        "fp8-e4m3": ("FP8_E4M3", -1),
    }
)
_LEVELS: Mapping[str, int] = MappingProxyType({"INT4_SYM": 16, "INT3_SYM": 8, "INT2_SYM": 4})
"""Modes whose codes are times a scale and nothing else → how many codes there are."""
_PTQ, _MIXED = "int8-ptq", "int8-ptq-mixed"
_LOOKED_UP = (*_openvino_codebooks.VECTORS, _openvino_codebooks.SCALAR)
# What the runtime is told to compute in. Left alone it executes a float32 model in bf16, with an 8-bit key/value cache
# and quantized activations.
HINTS: Mapping[str, str] = MappingProxyType({"float16": "f16", "bfloat16": "bf16"})
PINNED: Mapping[str, str] = MappingProxyType({"KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"})


class OpenVINOBackend(Backend):
    """``OVModelForSpeechSeq2Seq`` on the CPU, stateful decoder."""

    name = "openvino"
    extra = "openvino"
    modules = ("openvino", "optimum", "nncf", "sklearn", "threadpoolctl", "torch", "transformers")
    distributions = ("openvino", "optimum-intel", "nncf", "scikit-learn", "torch", "transformers", "tokenizers")
    precisions: Mapping[str, str] = MappingProxyType(
        {
            "float32": "float32",
            "float16": "float16",
            "bfloat16": "bfloat16",
            "int8-ptq": "int8_float32",
            "int8-ptq-mixed": "int8_float32",
            **{name: f"float32 on {name.split('-')[0]} weights" for name in (*_WEIGHT_MODES, *_LOOKED_UP)},
        }
    )
    recommended = _PTQ
    calibrated = frozenset({_PTQ, _MIXED})
    controlled = frozenset({_MIXED})
    by_block = frozenset({_PTQ, _MIXED, *_WEIGHT_MODES, *_LOOKED_UP})
    by_name = frozenset(_LOOKED_UP)
    grids: Mapping[str, Grid] = MappingProxyType(
        {
            name: Grid(levels=_LEVELS[mode], group=group if group > 0 else None, positions=True)
            for name, (mode, group) in _WEIGHT_MODES.items()
            if mode in _LEVELS
        }
    )
    weights = ("*.bin",)  # the .xml beside them says nothing that they do not
    build_memory: Mapping[str, float] = MappingProxyType(
        {
            "float32": 4.5,
            "float16": 1.6,
            "bfloat16": 1.1,
            _PTQ: 5.8,
            _MIXED: 5.8,
            **dict.fromkeys(_WEIGHT_MODES, 1.2),
        }
    )
    stateful = True

    def falls_back(self) -> Mapping[str, str]:
        """Ask the runtime which arithmetic it has: a hint for another is quietly replaced."""
        core = optional_imports.require("openvino", extra=self.extra, purpose=_PURPOSE).Core()
        able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        needs = {"float16": "FP16", "bfloat16": "BF16", _PTQ: "INT8", _MIXED: "INT8"}
        return {
            precision: f"OpenVINO has no {capability} arithmetic for this processor"
            for precision, capability in needs.items()
            if capability not in able and precision in self.precisions
        }

    def base(self, precision: str) -> tuple[str, str] | None:
        """Export once from float32; quantize from that export."""
        return ("transformers", "float32") if precision == "float32" else (self.name, "float32")

    def build(self, precision: str, source: Path, directory: Path, calibration: Calibration | None) -> list[str]:
        """Export the checkpoint, or make another precision of the exported one; name layers left in float32."""
        return self.build_without((), precision, source, directory, calibration)

    def build_without(
        self, ignored: Sequence[str], precision: str, source: Path, directory: Path, calibration: Calibration | None
    ) -> list[str]:
        """Build with some blocks left in float32; see `MixesBlocks`."""
        check_precision(self, precision)
        notes: list[str] = []
        model_class = _model_class()
        if precision == "float32":
            model = model_class.from_pretrained(
                source, export=True, compile=False, load_in_8bit=False, stateful=self.stateful
            )
        else:
            # Float32 throughout, or what calibration hears would depend on the processor.
            model = model_class.from_pretrained(source, compile=False, ov_config=_options("f32"))
        alone = _openvino_blocks.ignored_operations(model, ignored) if ignored else {}
        if precision not in _openvino_codebooks.VECTORS:  # which look at each operation that reads a matrix
            for part, operations in alone.items():
                _openvino_blocks.part_weights(getattr(model, part).model, operations)
        if precision == _PTQ and calibration:
            notes = _openvino_ptq.quantize(model, _whisper.FrontEnd(source), calibration, alone)
        elif precision == _MIXED and calibration:
            notes = _openvino_mixed.quantize(model, _whisper.FrontEnd(source), calibration, alone)
        elif precision in _WEIGHT_MODES:
            _compress(model, *_WEIGHT_MODES[precision], alone)
        elif precision in _LOOKED_UP:
            _look_up(model, precision, alone)
        elif precision == "float16":
            model.half()
        model.save_pretrained(directory)
        _whisper.copy_front_end(source, directory)
        return notes

    def mix(self, original: Path, quantized: Path, clips: Sequence[Clip], threads: int) -> _openvino_mixture.Mixture:
        """Load a float32 model and a quantized one of it; see `MixesBlocks`."""
        options = options_of("f32", threads)
        models = [
            _model_class().from_pretrained(one, compile=False, ov_config=options) for one in (original, quantized)
        ]
        graphs = {part: getattr(models[1], part).model for part in _openvino_blocks.PARTS}
        return _openvino_mixture.Mixture(models[0], _whisper.FrontEnd(original), graphs, clips)

    def rounded(self, precision: str, directory: Path) -> "dict[str, NDArray[np.float32]]":
        """Return the matrices of a model of `grids`; see `RoundsToGrid`."""
        return _openvino_codes.matrices(directory)

    def look(self, directory: Path) -> ReadyMade | None:
        """Return which IR an exporter wrote into a folder, with a decoder of this kind; see `RunsReadyMade`."""
        return _openvino_ir.look(directory, OpenVINOBackend.precisions, stateful=self.stateful)

    def load(self, precision: str, directory: Path, threads: int) -> "OpenVINOTranscriber":
        """Load and compile with the pinned hints. Other precisions than can be built may be ready made."""
        found = None if precision in self.precisions else self.look(directory)
        if found is None or precision not in found.precisions:
            check_precision(self, precision)
        return OpenVINOTranscriber(directory, threads, HINTS.get(precision, "f32"))


class StatelessOpenVINOBackend(OpenVINOBackend):
    """The same, but the key/value cache is passed in and out of the decoder, of which there are two then.

    For runtimes that keep no state between calls. Not calibrated: what `int8-ptq` shows a decoder is one call a clip.
    """

    name = "openvino-stateless"
    precisions: Mapping[str, str] = MappingProxyType(
        {name: executed for name, executed in OpenVINOBackend.precisions.items() if name not in (_PTQ, _MIXED)}
    )
    recommended = "int8"
    calibrated: frozenset[str] = frozenset()
    controlled: frozenset[str] = frozenset()
    by_block: frozenset[str] = frozenset()
    in_all = False
    stateful = False
    build_memory: Mapping[str, float] = MappingProxyType(
        {"float32": 4.5, **dict.fromkeys(("float16", "bfloat16", *_WEIGHT_MODES), 1.8)}
    )


class OpenVINOTranscriber(_generate.Stages):
    """A compiled encoder and decoder and their front end."""

    torch_threads = 1

    def __init__(self, directory: Path, threads: int, hint: str) -> None:
        self._front_end = _whisper.FrontEnd(directory)
        self._model = _model_class().from_pretrained(directory, ov_config=options_of(hint, threads))
        tokens = _openvino_graph.check_parts(self._model, directory)
        _checkpoint.check(self._front_end, tokens=tokens, mels=self._model.config.num_mel_bins)
        self.compute_type, self.operations = _openvino_graph.read_back(self._model, PINNED)

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch; see `Transcriber`."""
        return _generate.short(self._model, self._front_end, clips)

    def translate(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch in English; see `Translates`."""
        return _generate.short(self._model, self._front_end, clips, "translate")

    def transcribe_timed(self, clips: Sequence[Clip]) -> list[TimedText]:
        """Decode with timestamps; see `Transcriber`. The exported decoder hides the attention that words need."""
        return _generate.timed(self._model, self._front_end, clips, words=False)

    def transcribe_long(self, samples: "NDArray[np.float32]", language: str | None) -> str:
        """Decode a recording of any length window after window, each from where the last segment ended."""
        return _generate.sequential(self._model, self._front_end, samples, language)


def options_of(hint: str, threads: int) -> dict[str, str | int | bool]:
    """Return what the runtime is told, to compute in a type on so many threads.

    It would bind them to the first cores, and those of another process to the same ones.
    """
    return {**_options(hint), "INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}


def _options(hint: str) -> dict[str, str]:
    return {**PINNED, "INFERENCE_PRECISION_HINT": hint}


def _compress(
    model: Any,
    mode: str,
    group: int,
    ignored: Mapping[str, Sequence[str]] = MappingProxyType({}),
    values: "NDArray[np.float16] | None" = None,
) -> None:
    """Compress all weights of both parts in place; left to itself, NNCF keeps the first and last layers in int8.

    ``ignored`` has, by part, the operations that are to stay in float32; ``values`` are those of a codebook.
    """
    nncf = optional_imports.require("nncf", extra="openvino", purpose=_PURPOSE)
    for name, part in _openvino_graph.parts(model).items():
        options: dict[str, Any] = {} if mode.startswith("INT8") else {"group_size": group, "all_layers": True}
        if values is not None:
            options["advanced_parameters"] = nncf.AdvancedCompressionParameters(codebook=values)
        if alone := ignored.get(name.rpartition(" ")[2], ()):
            options["ignored_scope"] = nncf.IgnoredScope(names=list(alone))
        nncf.compress_weights(part.model, mode=nncf.CompressWeightsMode[mode], **options)


def _look_up(model: Any, precision: str, ignored: Mapping[str, Sequence[str]]) -> None:
    """Replace the weights of both parts by look-ups in a codebook, in place, but for what is ``ignored``, by part."""
    graphs = [part.model for part in _openvino_graph.parts(model).values()]
    if precision in _openvino_codebooks.VECTORS:
        alone = frozenset(chain.from_iterable(ignored.values()))
        _openvino_codebooks.quantize(graphs, *_openvino_codebooks.VECTORS[precision], alone)
    else:
        _compress(model, "CODEBOOK", _openvino_codebooks.GROUP, ignored, _openvino_codebooks.scalars(graphs))


def _model_class() -> Any:
    return optional_imports.require_attribute(
        "optimum.intel", "OVModelForSpeechSeq2Seq", extra="openvino", purpose=_PURPOSE
    )
