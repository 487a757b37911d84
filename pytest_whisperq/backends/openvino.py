"""OpenVINO through optimum-intel, weights compressed by NNCF, every runtime hint that changes numbers pinned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_whisperq import _lazy
from pytest_whisperq.backends import Clip, Hypothesis, _whisper

_PURPOSE = "build and run OpenVINO models"

# Left alone, this runtime executes a float32 model in bf16 with an 8-bit key/value cache and quantized activations.
_PINNED: Mapping[str, str] = MappingProxyType(
    {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
)
_PARTS = ("encoder", "decoder")
_TYPE_NAMES: Mapping[str, str] = MappingProxyType({"f32": "float32", "f16": "float16", "bf16": "bfloat16"})


class OpenVINOBackend:
    """``OVModelForSpeechSeq2Seq`` on the CPU, stateful decoder."""

    name = "openvino"
    extra = "openvino"
    modules = ("openvino", "optimum", "nncf", "torch", "transformers")
    distributions = ("openvino", "optimum-intel", "nncf", "torch", "transformers", "tokenizers")
    # int8 is weight-only: float32 arithmetic on weights stored as 8-bit integers.
    precisions: Mapping[str, str] = MappingProxyType({"float32": "float32", "int8": "float32 on int8 weights"})
    recommended = "int8"
    weights = ("*.bin",)  # the .xml beside it is never written twice alike

    def base(self, precision: str) -> tuple[str, str] | None:
        """Export once from float32; compress from that export."""
        return ("transformers", "float32") if precision == "float32" else (self.name, "float32")

    def build(self, precision: str, source: Path, directory: Path) -> None:
        """Export the checkpoint, or compress the weights of the exported one (asymmetric, per channel)."""
        model_class = _model_class()
        if precision == "float32":
            model = model_class.from_pretrained(source, export=True, compile=False, load_in_8bit=False)
        else:
            config = _lazy.require_attribute(
                "optimum.intel", "OVWeightQuantizationConfig", extra=self.extra, purpose=_PURPOSE
            )
            model = model_class.from_pretrained(source, compile=False, quantization_config=config(bits=8, sym=False))
        model.save_pretrained(directory)
        _whisper.copy_front_end(source, directory)

    def load(self, precision: str, directory: Path, threads: int) -> "OpenVINOTranscriber":
        """Load and compile with the pinned hints."""
        return OpenVINOTranscriber(directory, threads)


class OpenVINOTranscriber:
    """A compiled encoder and decoder and their front end."""

    def __init__(self, directory: Path, threads: int) -> None:
        self._front_end = _whisper.FrontEnd(directory)
        options = {**_PINNED, "INFERENCE_NUM_THREADS": threads}
        self._model = _model_class().from_pretrained(directory, ov_config=options)
        self.compute_type = _compute_type(self._model)

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch; see `Transcriber`."""
        from pytest_whisperq.backends.transformers import generate

        return generate(self._model, self._front_end, clips)


def _compute_type(model: Any) -> str:
    """Read back what was compiled: the arithmetic of both parts, and whether their weights are stored as integers."""
    found = set()
    for part in _PARTS:
        component = getattr(model, part)
        request = component.request  # optimum keeps the compiled model for the encoder, its request for the decoder
        compiled = request.get_compiled_model() if hasattr(request, "get_compiled_model") else request
        hint = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        arithmetic = _TYPE_NAMES.get(hint, hint)
        stored = {op.get_element_type().to_string() for op in component.model.get_ops() if _is_weight(op)}
        integers = sorted(stored & {"i8", "u8", "i4", "u4"})
        found.add(f"{arithmetic} on int{integers[0][1:]} weights" if integers else arithmetic)
    return " + ".join(sorted(found))


def _is_weight(op: Any) -> bool:
    return op.get_type_name() == "Constant" and len(op.shape) >= 2 and op.get_byte_size() >= 1024


def _model_class() -> Any:
    return _lazy.require_attribute("optimum.intel", "OVModelForSpeechSeq2Seq", extra="openvino", purpose=_PURPOSE)
