"""What a compiled OpenVINO model really executes, read back from the compiled model, not from what was asked for."""

from typing import Any

_NAMES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}
_WEIGHTS = {
    "u2": "int2",
    "u3": "int3",
    "i4": "int4",
    "u4": "int4",
    "nf4": "nf4",
    "f8e4m3": "fp8",
    "i8": "int8",
    "u8": "int8",
}
"""Element type of stored weights → what it is called, the shortest first."""
_MATRIX = ("FullyConnected", "MatMul", "Convolution")
"""The layers that do the arithmetic of a Whisper; everything else moves, adds or normalizes."""
_FEW = 1024
"""Bytes below which a constant is a scale or a shape, not weights."""


def parts(model: Any) -> dict[str, Any]:
    """Return the graphs of an ``OVModelForSpeechSeq2Seq`` by what they are called in a report.

    A stateful decoder keeps its key/value cache between calls; a stateless one comes in two: for the first token, and
    for the others.
    """
    stateful = model.decoder.stateful
    found = {"encoder": model.encoder, f"{'stateful' if stateful else 'stateless'} decoder": model.decoder}
    return found if stateful else {**found, "decoder with past": model.decoder_with_past}


def read_back(model: Any) -> tuple[str, str]:
    """Return (compute type, operations) of a compiled ``OVModelForSpeechSeq2Seq``.

    The compute type names the arithmetic of encoder and decoder, and the storage of their weights where that is
    shorter; operations say how many of the matrix layers of each part multiply in 8 bits. A part counts as int8 when
    most of them do.
    """
    found, shares = [], []
    for name, part in parts(model).items():
        part.compile()
        request = part.request  # optimum keeps the compiled model for the encoder, its request for the decoder
        compiled = request.get_compiled_model() if hasattr(request, "get_compiled_model") else request
        layers = [layer for layer in compiled.get_runtime_model().get_ops() if _property(layer, "layerType") in _MATRIX]
        short = sum(map(_multiplies_in_int8, layers))
        # Once compiled, this is the runtime's answer: asked for f16 where it has none, it says bf16.
        answer = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        arithmetic = _NAMES.get(answer, answer)
        weights = _shortest_weights(part.model)
        if 2 * short > len(layers):
            found.append(f"int8_{arithmetic}")
        else:
            found.append(f"{arithmetic} on {weights} weights" if weights else arithmetic)
        shares.append(f"{name} {short} of {len(layers)} matrix layers in int8")
    return " + ".join(dict.fromkeys(found)), ", ".join(shares)


def _multiplies_in_int8(layer: Any) -> bool:
    """Whether a layer's kernel does; its name ends in the type, as in ``brgconv_avx512_I8``."""
    return _property(layer, "primitiveType").rpartition("_")[2].lower() in ("i8", "u8")


def _property(layer: Any, name: str) -> str:
    value = layer.get_rt_info()[name]
    return str(value.astype(str) if hasattr(value, "astype") else value)


def _shortest_weights(model: Any) -> str:
    """Return the shortest type that weights are stored in, int8 or shorter: ``int4``, ``nf4``, ``fp8``; or nothing."""
    types = {
        op.get_element_type().to_string()
        for op in model.get_ops()
        if op.get_type_name() == "Constant" and len(op.shape) >= 2 and op.get_byte_size() >= _FEW
    }
    return next((name for stored, name in _WEIGHTS.items() if stored in types), "")
