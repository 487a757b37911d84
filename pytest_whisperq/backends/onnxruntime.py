"""ONNX Runtime on graphs that are exported here, decoded by transformers' ``generate`` as the other models are."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
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
    _checkpoint,
    _generate,
    _onnx_export,
    _onnx_graph,
    _whisper,
    check_precision,
)
from pytest_whisperq.system import optional_imports

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PURPOSE = "build and run ONNX models"
_DYNAMIC = "int8-dynamic"
_FRAMES = 1500
"""Frames of the encoder's output for a window."""


class OnnxRuntimeBackend(Backend):
    """Three sessions of ``onnxruntime`` on the CPU: encoder, cross-attention's keys and values, decoder with cache."""

    name = "onnxruntime"
    extra = "onnxruntime"
    modules = ("onnxruntime", "onnx", "onnx_ir", "torch", "transformers", "safetensors")
    distributions = ("onnxruntime", "onnx", "onnx-ir", "torch", "transformers", "tokenizers")
    precisions: Mapping[str, str] = MappingProxyType(
        {
            "float32": "float32",
            "float16": "float16",
            _DYNAMIC: "int8_float32",
            "int4-sym": "float32 on int4 weights",
            "int4-asym": "float32 on int4 weights",
        }
    )
    recommended = _DYNAMIC
    weights = ("*.onnx", f"*.onnx{_onnx_graph.DATA}")
    build_memory: Mapping[str, float] = MappingProxyType(
        {"float32": 3.7, "float16": 2.9, _DYNAMIC: 3.3, "int4-sym": 1.4, "int4-asym": 1.4}
    )

    def falls_back(self) -> Mapping[str, str]:
        """Ask the runtime: without kernels for float16 it inserts casts, and computes in float32."""
        return (
            {} if _computes_float16() else {"float16": "ONNX Runtime has no float16 matrix product for this processor"}
        )

    def base(self, precision: str) -> tuple[str, str] | None:
        """Export once from float32; quantize from that export."""
        return ("transformers", "float32") if precision == "float32" else (self.name, "float32")

    def build(self, precision: str, source: Path, directory: Path, calibration: Calibration | None) -> None:
        """Export the checkpoint, or make another precision of the exported one."""
        check_precision(self, precision)
        onnx = optional_imports.require("onnx", extra=self.extra, purpose=_PURPOSE)
        if precision == "float32":
            _export(onnx, source, directory)
        for part in _onnx_export.PARTS if precision != "float32" else ():
            name = f"{part}.onnx"
            _onnx_graph.quantize(onnx.load(source / name), precision, directory / name)
        for name in ("config.json", "generation_config.json"):
            (directory / name).write_bytes((source / name).read_bytes())
        _whisper.copy_front_end(source, directory)

    def load(self, precision: str, directory: Path, threads: int) -> "OnnxRuntimeTranscriber":
        """Load the three sessions."""
        check_precision(self, precision)
        return OnnxRuntimeTranscriber(directory, threads, is_dynamic=precision == _DYNAMIC)


class OnnxRuntimeTranscriber(_generate.Stages):
    """Three sessions and their front end."""

    torch_threads = 1

    def __init__(self, directory: Path, threads: int, *, is_dynamic: bool = False) -> None:
        onnx = optional_imports.require("onnx", extra="onnxruntime", purpose=_PURPOSE)
        self._front_end = _whisper.FrontEnd(directory)
        self._is_dynamic = is_dynamic
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        _checkpoint.check(self._front_end, tokens=config["vocab_size"], mels=config["num_mel_bins"])
        ran, sessions = {}, {}
        with tempfile.TemporaryDirectory(prefix="whisperq-onnx-") as folder:
            for part in _onnx_export.PARTS:
                path = directory / f"{part}.onnx"
                sessions[part] = _session(path, threads, profile=Path(folder, part))
                ran[part] = _try(sessions[part])
        graphs = (onnx.load(directory / f"{part}.onnx", load_external_data=False) for part in _onnx_export.PARTS)
        self.compute_type, self.operations = _onnx_graph.read_back(ran, _onnx_graph.stored_in(graphs))
        self._model = _model(directory, sessions)

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch; see `Transcriber`.

        Dynamic int8 takes one scale for the activations of a whole batch, so its clips are decoded alone.
        """
        return self._short(clips, "transcribe")

    def translate(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch in English; see `Translates`."""
        return self._short(clips, "translate")

    def _short(self, clips: Sequence[Clip], task: Task) -> list[Hypothesis]:
        batches = [[clip] for clip in clips] if self._is_dynamic else [clips]
        return [text for batch in batches for text in _generate.short(self._model, self._front_end, batch, task)]

    def transcribe_timed(self, clips: Sequence[Clip]) -> list[TimedText]:
        """Decode with timestamps; see `TellsTimes`. The exported decoder hides the attention that words need."""
        batches = [[clip] for clip in clips] if self._is_dynamic else [clips]
        return [text for batch in batches for text in _generate.timed(self._model, self._front_end, batch, words=False)]

    def transcribe_long(self, samples: "NDArray[np.float32]", language: str | None) -> str:
        """Decode a recording of any length window after window, each from where the last segment ended."""
        return _generate.sequential(self._model, self._front_end, samples, language)


def _export(onnx: Any, source: Path, directory: Path) -> None:
    """Export by way of a folder beside: torch writes a file for each weight of a graph that is too large for one."""
    model_class = optional_imports.require_attribute(
        "transformers", "WhisperForConditionalGeneration", extra="onnxruntime", purpose=_PURPOSE
    )
    model = model_class.from_pretrained(source, local_files_only=True)
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        _onnx_export.export(model, Path(folder))
        for part in _onnx_export.PARTS:
            _onnx_graph.save(onnx.load(Path(folder, f"{part}.onnx")), directory / f"{part}.onnx")


def _session(model: Any, threads: int, profile: Path) -> Any:
    """Load a graph, a file or bytes, so that what its first run executes is told in a file whose name begins so."""
    runtime = optional_imports.require("onnxruntime", extra="onnxruntime", purpose=_PURPOSE)
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.enable_profiling = True
    options.profile_file_prefix = str(profile)
    return runtime.InferenceSession(
        model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
    )


def _try(session: Any) -> list[_onnx_graph.Layer]:
    """Return the matrix layers that a session runs, on one window of zeros; it is profiled no further."""
    import numpy as np

    sizes = {"clips": 1, "frames": _FRAMES, "count": 1, "said": 1}
    types = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64}
    session.run(
        None,
        {
            one.name: np.zeros([sizes.get(size, size) for size in one.shape], types[one.type])
            for one in session.get_inputs()
        },
    )
    return _onnx_graph.layers_of(Path(session.end_profiling()))


@cache
def _computes_float16() -> bool:
    """Whether a product of float16 matrices is computed in float16 here."""
    onnx = optional_imports.require("onnx", extra="onnxruntime", purpose=_PURPOSE)
    import numpy as np

    half = onnx.TensorProto.FLOAT16
    weight = onnx.numpy_helper.from_array(np.ones((64, 64), np.float16), "weight")
    given, product = (onnx.helper.make_tensor_value_info(name, half, [4, 64]) for name in ("given", "product"))
    node = onnx.helper.make_node("MatMul", ["given", "weight"], ["product"])
    graph = onnx.helper.make_graph([node], "probe", [given], [product], [weight])
    opset = onnx.helper.make_operatorsetid("", _onnx_export.OPSET)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    with tempfile.TemporaryDirectory(prefix="whisperq-onnx-") as folder:
        ran = _try(_session(model.SerializeToString(), 1, Path(folder, "probe")))
    return [one.given for one in ran] == ["float16"]


def _model(directory: Path, sessions: Mapping[str, Any]) -> Any:
    """Return a model with transformers' ``generate`` that computes in these sessions."""
    import torch
    import transformers
    from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

    class Encoder:
        """What ``generate`` asks for the encoder's output."""

        main_input_name = "input_features"

        def forward(self, input_features: Any, **_: Any) -> Any:
            # Clip by clip: a window fills the processor's caches.
            run = sessions[_onnx_export.ENCODER].run
            hidden = [run(None, {"input_features": one.numpy()})[0] for one in input_features.split(1)]
            return BaseModelOutput(last_hidden_state=torch.from_numpy(_joined(hidden)))

        __call__ = forward

    class Model(transformers.WhisperForConditionalGeneration):  # type: ignore[misc, unused-ignore]
        """A Whisper whose weights are elsewhere."""

        @property
        def device(self) -> Any:
            return torch.device("cpu")

        def get_encoder(self, *_: Any, **__: Any) -> Any:
            return Encoder()

        def _supports_default_dynamic_cache(self, *_: Any) -> bool:
            return False

        def prepare_inputs_for_generation(
            self, input_ids: Any, past_key_values: Any = None, encoder_outputs: Any = None, **_: Any
        ) -> dict[str, Any]:
            said = past_key_values.length if past_key_values else 0
            return {
                "decoder_input_ids": input_ids[:, said:],
                "past_key_values": past_key_values,
                "encoder_outputs": encoder_outputs,
            }

        def forward(
            self,
            input_features: Any = None,
            decoder_input_ids: Any = None,
            encoder_outputs: Any = None,
            past_key_values: Any = None,
            **_: Any,
        ) -> Any:
            if past_key_values is None:
                encoded = encoder_outputs or self.get_encoder()(input_features)
                past_key_values = _Cache(sessions, encoded[0].numpy(), self.config)
            scores = past_key_values.step(decoder_input_ids.numpy())
            return Seq2SeqLMOutput(logits=torch.from_numpy(scores), past_key_values=past_key_values)

    config = transformers.WhisperConfig.from_pretrained(directory, local_files_only=True)
    with torch.device("meta"):
        model = Model(config)
    model.generation_config = transformers.GenerationConfig.from_pretrained(directory, local_files_only=True)
    return model.eval()


class _Cache:
    """Keys and values of what was said about a batch of windows, and of the encoder's output."""

    def __init__(self, sessions: Mapping[str, Any], hidden: "NDArray[np.float32]", config: Any) -> None:
        import numpy as np

        layers, heads = config.decoder_layers, config.decoder_attention_heads
        nothing = np.zeros((len(hidden), heads, 0, config.d_model // heads), np.float32)
        crossed = sessions[_onnx_export.CROSS].run(None, {"hidden": hidden})
        self.length = 0
        self._run = sessions[_onnx_export.DECODER].run
        self._names = _onnx_export.names("past", layers)
        self._past = [nothing] * len(self._names)
        self._cross = dict(zip(_onnx_export.names("cross", layers), crossed, strict=True))

    def step(self, tokens: "NDArray[np.int64]") -> "NDArray[np.float32]":
        """Return the scores behind each of some tokens, shape (clips, count, vocabulary)."""
        past = dict(zip(self._names, self._past, strict=True))
        scores, *self._past = self._run(None, {"tokens": tokens, **past, **self._cross})
        self.length += tokens.shape[1]
        said: NDArray[np.float32] = scores
        return said


def _joined(parts: Sequence["NDArray[np.float32]"]) -> "NDArray[np.float32]":
    import numpy as np

    return parts[0] if len(parts) == 1 else np.concatenate(parts)
