"""Does a diagnosis name the block that is broken on purpose? ``python tests/benchmarks/blame_plants.py``.

In one block after the other, weights are scaled so that float32 says the same and quantization does not. ``attention``
makes a channel of the values small, and the weights that read it large: one scale a row is then too coarse for all the
others, which breaks weights of 8 bits. ``gelu`` makes a hidden unit of the feed-forward layer large, and the weights
behind it small: the steps of that activation are too coarse for the other units, as in the encoder of OpenAI's tiny.en
behind unlucky calibration clips (docs/calibration.md). Calibrated int8 finds such a layer by itself and leaves it in
float32. Here it may not.

A row tells the block that was broken, the first of the diagnosis, and the SQNR of the scores of tokens by it and by the
next. ``--drops`` listens to the calibration clips with each block quantized alone, and spared alone, too.
"""

import argparse
import math
from collections.abc import Iterator
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import openvino as ov

from pytest_whisperq.backends import Calibration, _openvino_blocks, _openvino_ptq, _whisper
from pytest_whisperq.backends._openvino_mixture import Mixture
from pytest_whisperq.backends.openvino import _WEIGHT_MODES, _compress, _model_class, _options
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.diagnosis import rank
from pytest_whisperq.measuring.accuracy import drop_between
from pytest_whisperq.session import Session

FACTOR = 1000.0
COLUMNS = "| block | SQNR, dB | of the scores, dB | noisiest layer, dB | alone | spared |\n|---|--:|--:|---|--:|--:|"
HEAD = "| broken | named first | SQNR, dB | the next | SQNR, dB |\n|---|---|--:|---|--:|"


class Plant(NamedTuple):
    """A block, and the two layers of it between which a channel is scaled."""

    block: str
    first: str
    second: str
    factor: float


class Bench:
    """A float32 model whose blocks are broken one after the other, and the clips on which that is looked for."""

    def __init__(self, model: str, corpus: str, samples: int, cache_dir: str) -> None:
        named = {
            "whisperq_model": model,
            "whisperq_corpus": corpus,
            "whisperq_cache_dir": cache_dir,
            "whisperq_calibration_samples": str(samples),
            "whisperq_threads": "1",
            "whisperq_candidate": "openvino:int8-ptq",
        }
        self.session = Session(resolve({name: value for name, value in named.items() if value}))
        self.directory = self.session.build("openvino", "float32").directory
        self.clips = self.session.recordings.calibration.clips()

    def mixture(self, plant: Plant | None, precision: str) -> Mixture:
        """Return the model with a block broken, and what quantization makes of that."""
        models = [_load(self.directory) for _ in range(2)]
        if plant:
            for model in models:
                part = getattr(model, plant.block.partition(".")[0])
                scale(part.model, plant)
        front_end = _whisper.FrontEnd(self.directory)
        if precision in _WEIGHT_MODES:
            _compress(models[1], *_WEIGHT_MODES[precision], {})
        else:
            self._calibrate(models[1], front_end)
        graphs = {part: getattr(models[1], part).model for part in _openvino_blocks.PARTS}
        mixture = Mixture(models[0], front_end, graphs, self.clips)
        self.session.decoder.settle(mixture)
        return mixture

    def _calibrate(self, model: Any, front_end: _whisper.FrontEnd) -> None:
        """Quantize whatever that breaks: nothing is left in float32, and nothing refused."""
        calibration = Calibration(summary="", identity="", clips=lambda: self.clips, alphas=(0.5, 0.95), speaks=False)
        with mock.patch.multiple(_openvino_ptq, LEAST_OF_LAYER=-math.inf, LEAST_OF_PART=-math.inf):
            _openvino_ptq.quantize(model, front_end, calibration)

    def drops(self, mixture: Mixture) -> Iterator[str]:
        """Yield a row for each block, the most damaged first: the drop alone, and with it alone spared."""
        items = self.session.recordings.calibration_set.utterances
        before = [said.text for said in mixture.transcribe(())]

        def lost(blocks: Any) -> Any:
            after = [said.text for said in mixture.transcribe(blocks)]
            normalizer, metric = self.session.normalizer, self.session.metric
            return drop_between(items, before, after, normalizer=normalizer, metric=metric, confidence=0.95)

        for blame in rank(mixture.noise(), lost, lambda done: None):
            yield (
                f"| {blame.block} | {blame.noise.block:.1f} | {blame.noise.scores:.1f} | {blame.noise.layer} "
                f"{blame.noise.layer_alone or math.nan:.1f} | {blame.alone.value:+.2f} | {blame.spared.value:+.2f} |"
            )


def plants(kind: str, blocks: tuple[str, ...]) -> list[Plant]:
    """Return a plant for each block that has such layers; of a decoder's two attentions, one for each."""
    layers = [name for name in blocks if ".layers." in name]
    if kind == "gelu":
        return [Plant(name, "fc1", "fc2", FACTOR) for name in layers]
    pairs = [(name, "self_attn") for name in layers]
    pairs += [(name, "encoder_attn") for name in layers if name.startswith("decoder")]
    return [Plant(name, f"{attention}.v_proj", f"{attention}.out_proj", 1 / FACTOR) for name, attention in pairs]


def scale(graph: Any, plant: Plant) -> None:
    """Multiply the strongest channel between two layers, and divide by as much what reads it; in place."""
    block = plant.block.partition(".")[2]
    found = dict(_operations(graph, block))
    first, second = (found[f"{block}.{name}"] for name in (plant.first, plant.second))
    weights = _constant(second)
    unit = int(np.abs(weights).max(axis=0).argmax())
    weights[:, unit] /= plant.factor
    _replace(second, weights)
    weights = _constant(first)
    weights[unit] *= plant.factor
    _replace(first, weights)
    for target in first.output(0).get_target_inputs():
        node = target.get_node()
        if node.get_type_name() == "Add" and node.input_value(1).get_node().get_type_name() == "Constant":
            bias = np.array(node.input_value(1).get_node().data, np.float32)
            bias[..., unit] *= plant.factor
            node.input(1).replace_source_output(ov.opset13.constant(bias).output(0))


def _operations(graph: Any, block: str) -> Iterator[tuple[str, Any]]:
    for operation in graph.get_ordered_ops():
        scope = operation.get_friendly_name().partition("/")[0]
        if operation.get_type_name() == "MatMul" and f".{block}." in scope:
            yield f"{block}.{scope.partition(f'.{block}.')[2]}", operation


def _constant(operation: Any) -> Any:
    return np.array(operation.input_value(1).get_node().data, np.float32)


def _replace(operation: Any, weights: Any) -> None:
    constant = ov.opset13.constant(weights)
    constant.set_friendly_name(operation.input_value(1).get_node().get_friendly_name())
    operation.input(1).replace_source_output(constant.output(0))


def _load(directory: Any) -> Any:
    options = {**_options("f32"), "INFERENCE_NUM_THREADS": 1}
    return _model_class().from_pretrained(directory, compile=False, ov_config=options)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="whisperq-micro")
    parser.add_argument("--corpus", default="embedded")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--kind", choices=("attention", "gelu", "none"), default="attention")
    parser.add_argument("--blocks", default="", help="those to break, separated by commas (default: every one)")
    parser.add_argument("--samples", type=int, default=8, help="calibration clips")
    parser.add_argument("--drops", action="store_true")
    parser.add_argument("--cache-dir", default="")
    options = parser.parse_args()
    bench = Bench(options.model, options.corpus, options.samples, options.cache_dir)
    every = tuple(bench.mixture(None, "int8").blocks) if options.kind != "none" else ()
    chosen = [
        one for one in plants(options.kind, every) if not options.blocks or one.block in options.blocks.split(",")
    ]
    named = 0
    if not options.drops:
        print(HEAD, flush=True)
    broken: list[Plant | None] = [*chosen] or [None]
    for plant in broken:
        with _whisper.quiet_libraries():
            mixture = bench.mixture(plant, options.precision)
        if options.drops:
            print(f"\n{plant.block if plant else 'none'} broken, {options.precision}\n\n{COLUMNS}", flush=True)
            with _whisper.quiet_libraries():
                rows = list(bench.drops(mixture))
            print("\n".join(rows), flush=True)
            continue
        with _whisper.quiet_libraries():
            noises = sorted(mixture.noise().items(), key=lambda row: row[1].scores)
        (first, one), (second, other) = noises[:2]
        named += plant is not None and plant.block == first
        what = f"{plant.block} ({plant.first})" if plant else "none"
        print(f"| {what} | {first} | {one.scores:.1f} | {second} | {other.scores:.1f} |", flush=True)
    if not options.drops:
        print(f"\n{named} of {len(chosen)} named")


if __name__ == "__main__":
    main()
