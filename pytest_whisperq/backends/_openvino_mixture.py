"""A float32 OpenVINO Whisper and a quantized one of the same checkpoint, mixed block by block.

Nothing is quantized for it: both graphs are there, and any set of blocks can be taken from either (`graft`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends import Clip, Hypothesis, _generate, _openvino_blocks, _openvino_graph, _whisper
from pytest_whisperq.backends._openvino_blocks import OUTPUT, PARTS
from pytest_whisperq.backends._openvino_layers import Comparison, Sqnr, Watched, outputs
from pytest_whisperq.backends._openvino_ptq import CHECKED, Heard, hear
from pytest_whisperq.backends.values import Noise

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BATCH = 16
_KEPT = 2


class Mixture:
    """What a Whisper says with some blocks quantized and the others in float32."""

    torch_threads = 1

    def __init__(
        self, model: Any, front_end: _whisper.FrontEnd, quantized: Mapping[str, Any], clips: Sequence[Clip]
    ) -> None:
        """``model`` is an ``OVModelForSpeechSeq2Seq`` in float32; ``quantized`` has the graphs of the other by part.

        ``clips`` are what is listened to.
        """
        self._model = model
        self._front_end = front_end
        self._original = {part: getattr(model, part).model for part in PARTS}
        self._quantized = quantized
        self._batches = [clips[start : start + _BATCH] for start in range(0, len(clips), _BATCH)]
        self._clips = clips
        self._encoded: dict[frozenset[str], list[Any]] = {}
        self._executed: dict[frozenset[str], str] = {}

    @property
    def blocks(self) -> list[str]:
        """The blocks, such as ``encoder.layers.3``, in their order."""
        return [f"{part}.{block}" for part, graph in self._original.items() for block in _openvino_blocks.blocks(graph)]

    def executes(self, float32: Collection[str]) -> bool:
        """Whether what executes with these blocks in float32 is what does with all quantized, as it is read back."""
        return self._compute_type(float32) == self._compute_type(())

    def _compute_type(self, float32: Collection[str]) -> str:
        if (left := frozenset(float32)) not in self._executed:
            model = self.use([name for name in self.blocks if name not in left])
            self._executed[left], _ = _openvino_graph.read_back(model, {})
        return self._executed[left]

    def graphs(self, chosen: Collection[str]) -> dict[str, Any]:
        """Return the graph of each part with the ``chosen`` blocks quantized."""
        every = self.blocks
        graphs = {}
        for part, original in self._original.items():
            inside = {name.partition(".")[2] for name in chosen if name.startswith(f"{part}.")}
            if not inside:
                graphs[part] = original
            elif inside == {name.partition(".")[2] for name in every if name.startswith(f"{part}.")}:
                graphs[part] = self._quantized[part]
            else:
                graphs[part] = _openvino_blocks.graft(original, self._quantized[part], inside)
        return graphs

    def transcribe(self, chosen: Collection[str]) -> list[Hypothesis]:
        """Return what is said about the clips with the ``chosen`` blocks quantized."""
        model = self.use(chosen)
        encoded = self._encode(model, frozenset(name for name in chosen if name.startswith("encoder.")))
        return [
            said
            for batch, sound in zip(self._batches, encoded, strict=True)
            for said in _generate.behind(model, self._front_end, batch, sound)
        ]

    def _encode(self, model: Any, chosen: frozenset[str]) -> list[Any]:
        """Return what the encoder makes of each batch; kept of the last `_KEPT` encoders, for it takes long."""
        import torch

        if chosen not in self._encoded:
            encoded = []
            for batch in self._batches:
                features = torch.from_numpy(self._front_end.features(batch))
                with torch.inference_mode():
                    encoded.append(sound := model.get_encoder()(input_features=features))
                sound["last_hidden_state"] = sound.last_hidden_state.clone()  # a view that the next call overwrites
            self._encoded[chosen] = encoded
        self._encoded[chosen] = self._encoded.pop(chosen)
        for name in list(self._encoded)[:-_KEPT]:
            del self._encoded[name]
        return self._encoded[chosen]

    def use(self, chosen: Collection[str]) -> Any:
        """Return the model with the ``chosen`` blocks quantized, and go on with it."""
        self._model.clear_requests()
        for part, graph in self.graphs(chosen).items():
            self._model.replace_ov_model(getattr(self._model, part).model, graph)
        self._model.compile()
        return self._model

    def noise(self) -> dict[str, Noise]:
        """Return the noise of each block when it alone is quantized, by block, on `CHECKED` of the clips.

        A block that is not quantized has none and is left out.
        """
        import numpy as np

        model = self.use(())
        heard = list(hear(model, self._front_end, self._clips[:: max(1, len(self._clips) // CHECKED)][:CHECKED]))
        model.clear_requests()
        scores = Watched(self._original["decoder"], outputs)

        def said(part: str, clip: Heard, sound: Any) -> NDArray[np.float32]:
            if part == "decoder":
                return np.copy(sound)
            scores.run({**clip.plain, "encoder_hidden_states": sound})
            return np.copy(scores.value(next(iter(scores.ports(outputs)))))

        noises = {}
        for part, original in self._original.items():
            given = [clip.sound if part == "encoder" else clip.plain for clip in heard]
            layers = Comparison(original, given, lambda value: value[:0]).against(self._quantized[part]).layers.ratios
            stream = partial(_openvino_blocks.stream, original)
            blocks = (*_openvino_blocks.blocks(original), OUTPUT)
            # Kept of a few clips, a gigabyte or two for the largest models: an encoder is what takes the time.
            graph, before = Watched(original, stream), []
            for inputs in given:
                graph.run(inputs)
                before.append({block: np.copy(graph.value(block)) for block in blocks})
            scored = [said(part, clip, ends[OUTPUT]) for clip, ends in zip(heard, before, strict=True)]
            for block in _openvino_blocks.blocks(original):
                graph = Watched(_openvino_blocks.graft(original, self._quantized[part], {block}), stream)
                ratios = Sqnr()
                for clip, inputs, ends, expected in zip(heard, given, before, scored, strict=True):
                    graph.run(inputs)
                    ratios.add("block", ends[block], graph.value(block))
                    ratios.add("scores", expected, said(part, clip, graph.value(OUTPUT)))
                if ratios.ratios["block"] < math.inf or math.isnan(ratios.ratios["block"]):
                    inside = {name: ratio for name, ratio in layers.items() if _openvino_blocks.block_of(name) == block}
                    worst = min(inside, key=lambda name: inside[name], default="")
                    noises[f"{part}.{block}"] = Noise(
                        **ratios.ratios, layer=worst, layer_alone=inside[worst] if worst else None
                    )
        return noises
