"""How often the zero of a GELU is off the grid of int8: ``python tests/benchmarks/zero_points.py CHECKPOINT CORPUS``.

NNCF rounds the zero point of an activation, -low·255 / (high - low), and moves the range so that zero is on its grid.
Where it rounds to 0, the range stays as it is, and every zero becomes -low or a step more (`tune_range`, NNCF 3.4). The
range is made of the minima and maxima of the clips, behind SmoothQuant, which are computed here as NNCF does. For each
`fc2` of the encoder: the zero point of random calibration sets of 12 to 50 clips, and how many have it below 0.5.
"""

import argparse
from typing import Any

import numpy as np
from calibration_sets import Bench, clip_of
from numpy.typing import NDArray

from pytest_whisperq.backends import _openvino_layers, _whisper

SETS = 1_000
LEVELS = 255


class Layer:
    """What one layer is given by each clip: the extremes of its channels, shape (clips, channels), and its weights."""

    def __init__(self, weights: NDArray[np.float32]) -> None:
        self._weights = np.abs(weights).max(axis=0)
        self._lows: list[NDArray[np.float32]] = []
        self._highs: list[NDArray[np.float32]] = []

    def add(self, given: NDArray[np.float32]) -> None:
        """Take a clip into account; ``given`` has the shape (1, frames, channels)."""
        self._lows.append(given.min(axis=(0, 1)))
        self._highs.append(given.max(axis=(0, 1)))

    def zero_point(self, chosen: NDArray[np.int64], alpha: float) -> float:
        """Return the zero point, not rounded, of a calibration set of the ``chosen`` clips."""
        lows, highs = np.array(self._lows)[chosen], np.array(self._highs)[chosen]
        largest = np.maximum(np.maximum(-lows, highs).max(axis=0), 1e-5)
        scales = largest**alpha / (self._weights ** (1 - alpha) + np.finfo(np.float32).eps)
        scales = np.clip(scales, np.quantile(scales, 0.1), 100)
        low, high = (lows / scales).min(axis=1).mean(), (highs / scales).max(axis=1).mean()
        return float(-low * LEVELS / (high - low))


def measure(bench: Bench) -> dict[str, Layer]:
    """Return the layers, each of which has been given all clips of the pool."""
    operations = {name: node for name, node in _openvino_layers._weighted(bench.encoder) if name.endswith("fc2")}
    layers = {name: Layer(weights_of(node)) for name, node in operations.items()}
    watched = _openvino_layers.Watched(bench.encoder, _openvino_layers._sources)
    for item in bench.pool:
        watched.run({"input_features": bench.front_end.features([clip_of(item)])})
        for name, node in operations.items():
            layers[name].add(watched.value(_openvino_layers._name(node.input_value(0))))
    return layers


def weights_of(node: Any) -> NDArray[np.float32]:
    """Return the weights of a layer, shape (outputs, inputs)."""
    constant = node.input_value(1).get_node()
    if constant.get_type_name() == "Convert":
        constant = constant.input_value(0).get_node()
    return np.asarray(constant.data, np.float32)


def main() -> None:
    """Print a row for each layer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", help="a folder, or whisperq-micro")
    parser.add_argument("corpus", help="a corpus, or embedded")
    parser.add_argument("--pool", type=int, default=80, help="clips that sets are drawn from")
    parser.add_argument("--cache-dir", default="")
    options = parser.parse_args()
    with _whisper.quiet_libraries():
        judged = {"judged": 30, "smooth_quant": "0.5,0.95", "encoder": True}
        bench = Bench(argparse.Namespace(**vars(options), **judged))
        layers = measure(bench)
    print("| layer | zero point, 5 … 50 … 95 % of sets | below 0.5, % of sets |\n|---|---|--:|")
    for name, layer in layers.items():
        rng = np.random.default_rng(0)
        points = [
            layer.zero_point(rng.choice(len(bench.pool), rng.integers(12, 51), replace=False), bench.alphas[0])
            for _ in range(SETS)
        ]
        low, median, high = np.quantile(points, (0.05, 0.5, 0.95))
        print(f"| {name} | {low:.2f} … {median:.2f} … {high:.2f} | {100 * np.mean(np.array(points) < 0.5):.1f} |")


if __name__ == "__main__":
    main()
