"""Whisper as three ONNX graphs: encoder, what each decoder layer keeps of its output, and a decoder with its cache.

Exported from torch by modules that are written here: those of transformers have more in them than a graph can hold.
"""

from pathlib import Path
from typing import Any

ENCODER, CROSS, DECODER = "encoder", "cross", "decoder"
PARTS = (ENCODER, CROSS, DECODER)
OPSET = 17


def names(kind: str, layers: int) -> list[str]:
    """Return the names of keys and values of all layers.

    >>> names("past", 2)
    ['past_key_0', 'past_value_0', 'past_key_1', 'past_value_1']
    """
    return [f"{kind}_{what}_{number}" for number in range(layers) for what in ("key", "value")]


def export(model: Any, directory: Path) -> None:
    """Write ``encoder.onnx``, ``cross.onnx`` and ``decoder.onnx`` of a ``WhisperForConditionalGeneration``.

    Weights lie beside each graph: together they may be more than the 2 GB that a protocol buffer holds.
    """
    import torch

    modules = _modules()
    config, layers = model.config, model.config.decoder_layers
    heads, width = config.decoder_attention_heads, config.d_model
    hidden = torch.zeros(2, 8, width)
    past = [torch.zeros(2, heads, 3, width // heads)] * (2 * layers)
    cross = [torch.zeros(2, heads, 8, width // heads)] * (2 * layers)
    graphs = {
        ENCODER: (modules.encoder(model.model.encoder), (torch.zeros(2, config.num_mel_bins, 3000),)),
        CROSS: (modules.cross(model.model.decoder), (hidden,)),
        DECODER: (modules.decoder(model), (torch.zeros(2, 2, dtype=torch.int64), *past, *cross)),
    }
    inputs = {
        ENCODER: ["input_features"],
        CROSS: ["hidden"],
        DECODER: ["tokens", *names("past", layers), *names("cross", layers)],
    }
    outputs = {
        ENCODER: ["hidden"],
        CROSS: names("cross", layers),
        DECODER: ["scores", *names("present", layers)],
    }
    axes: dict[str, dict[int, str]] = {
        "input_features": {0: "clips"},
        "hidden": {0: "clips", 1: "frames"},
        "tokens": {0: "clips", 1: "count"},
        "scores": {0: "clips", 1: "count"},
        **{name: {0: "clips", 2: "said"} for name in names("past", layers)},
        **{name: {0: "clips", 2: "all"} for name in names("present", layers)},
        **{name: {0: "clips", 2: "frames"} for name in names("cross", layers)},
    }
    with torch.inference_mode():
        for part, (module, example) in graphs.items():
            torch.onnx.export(
                module.eval(),
                example,
                directory / f"{part}.onnx",
                input_names=inputs[part],
                output_names=outputs[part],
                dynamic_axes={name: axes[name] for name in (*inputs[part], *outputs[part])},
                opset_version=OPSET,
                do_constant_folding=False,  # it would store the embedding twice
                dynamo=False,  # the other exporter needs onnxscript
            )


def _modules() -> Any:
    """Return the modules, which cannot be written without torch."""
    from types import SimpleNamespace

    import torch
    from torch import nn

    class Linear(nn.Module):  # type: ignore[misc, unused-ignore]
        """A layer whose weights are stored as a matrix product of ONNX takes them."""

        def __init__(self, layer: Any) -> None:
            super().__init__()
            self.weight = nn.Parameter(layer.weight.detach().t().contiguous())
            self.bias = layer.bias

        def forward(self, value: Any) -> Any:
            product = value @ self.weight
            return product if self.bias is None else product + self.bias

    class Attention(nn.Module):  # type: ignore[misc, unused-ignore]
        """Attention (Vaswani et al. 2017), with keys and values of its own input or of others."""

        def __init__(self, layer: Any) -> None:
            super().__init__()
            self.heads, self.scale = layer.num_heads, layer.head_dim**-0.5
            self.query, self.out = Linear(layer.q_proj), Linear(layer.out_proj)
            self.key, self.value = Linear(layer.k_proj), Linear(layer.v_proj)

        def split(self, value: Any) -> Any:
            clips, count, width = value.shape
            return value.view(clips, count, self.heads, width // self.heads).transpose(1, 2)

        def keys(self, value: Any) -> tuple[Any, Any]:
            return self.split(self.key(value)), self.split(self.value(value))

        def forward(self, value: Any, key: Any, kept: Any, mask: Any = None) -> Any:
            scores = self.split(self.query(value) * self.scale) @ key.transpose(2, 3)
            if mask is not None:
                scores = scores + mask
            heard = (scores.softmax(-1) @ kept).transpose(1, 2)
            return self.out(heard.reshape(value.shape))

    class Inner(nn.Module):  # type: ignore[misc, unused-ignore]
        """What follows the attention of a layer."""

        def __init__(self, layer: Any) -> None:
            super().__init__()
            self.norm, self.first, self.second = layer.final_layer_norm, Linear(layer.fc1), Linear(layer.fc2)

        def forward(self, value: Any) -> Any:
            return value + self.second(nn.functional.gelu(self.first(self.norm(value))))

    class Encoder(nn.Module):  # type: ignore[misc, unused-ignore]
        """Features to what the decoder listens to."""

        def __init__(self, encoder: Any) -> None:
            super().__init__()
            self.conv1, self.conv2, self.norm = encoder.conv1, encoder.conv2, encoder.layer_norm
            self.positions = encoder.embed_positions.weight
            self.norms = nn.ModuleList(layer.self_attn_layer_norm for layer in encoder.layers)
            self.attentions = nn.ModuleList(Attention(layer.self_attn) for layer in encoder.layers)
            self.inner = nn.ModuleList(Inner(layer) for layer in encoder.layers)

        def forward(self, features: Any) -> Any:
            value = nn.functional.gelu(self.conv2(nn.functional.gelu(self.conv1(features))))
            value = value.transpose(1, 2) + self.positions
            for norm, attention, inner in zip(self.norms, self.attentions, self.inner, strict=True):
                normed = norm(value)
                value = inner(value + attention(normed, *attention.keys(normed)))
            return self.norm(value)

    class Cross(nn.Module):  # type: ignore[misc, unused-ignore]
        """Keys and values of the encoder's output, computed once a window."""

        def __init__(self, decoder: Any) -> None:
            super().__init__()
            self.attentions = nn.ModuleList(Attention(layer.encoder_attn) for layer in decoder.layers)

        def forward(self, hidden: Any) -> tuple[Any, ...]:
            return tuple(one for attention in self.attentions for one in attention.keys(hidden))

    class Decoder(nn.Module):  # type: ignore[misc, unused-ignore]
        """Tokens, and what was kept of those before, to scores of the next."""

        def __init__(self, model: Any) -> None:
            super().__init__()
            decoder = model.model.decoder
            self.embedding = decoder.embed_tokens.weight
            self.output = None if model.config.tie_word_embeddings else Linear(model.proj_out)
            self.positions, self.norm = decoder.embed_positions.weight, decoder.layer_norm
            self.norms = nn.ModuleList(layer.self_attn_layer_norm for layer in decoder.layers)
            self.attentions = nn.ModuleList(Attention(layer.self_attn) for layer in decoder.layers)
            self.cross_norms = nn.ModuleList(layer.encoder_attn_layer_norm for layer in decoder.layers)
            self.cross = nn.ModuleList(Attention(layer.encoder_attn) for layer in decoder.layers)
            self.inner = nn.ModuleList(Inner(layer) for layer in decoder.layers)

        def forward(self, tokens: Any, *kept: Any) -> tuple[Any, ...]:
            layers = len(self.attentions)
            past, cross = kept[: 2 * layers], kept[2 * layers :]
            said, count = past[0].shape[2], tokens.shape[1]
            places = torch.arange(said, said + count)
            # What is said later is not there yet.
            later = torch.arange(said + count)[None, :] > places[:, None]
            mask = torch.zeros_like(later, dtype=self.embedding.dtype).masked_fill(later, -1e9)
            value = nn.functional.embedding(tokens, self.embedding) + self.positions[places]
            present: list[Any] = []
            for number in range(layers):
                attention, other = self.attentions[number], self.cross[number]
                normed = self.norms[number](value)
                key, kept_value = attention.keys(normed)
                key = torch.cat([past[2 * number], key], 2)
                kept_value = torch.cat([past[2 * number + 1], kept_value], 2)
                present += [key, kept_value]
                value = value + attention(normed, key, kept_value, mask)
                normed = self.cross_norms[number](value)
                value = value + other(normed, cross[2 * number], cross[2 * number + 1])
                value = self.inner[number](value)
            value = self.norm(value)
            scores = value @ self.embedding.t() if self.output is None else self.output(value)
            return (scores, *present)

    return SimpleNamespace(encoder=Encoder, cross=Cross, decoder=Decoder)
