"""Which block of a quantized model may be given back to float32, so that most of it stays quantized."""

from collections.abc import Collection, Mapping, Sequence


def following(order: Sequence[str], given: Collection[str], layers: Mapping[str, int]) -> str | None:
    """Return the first block of ``order`` that may be given back beside those ``given``; None where none may.

    ``layers`` counts the layers of each block there is. More than half of those of each part have to stay quantized:
    with fewer, the precision is not what executes. A block that would take more is passed over.

    >>> layers = {"encoder.layers.0": 6, "decoder.layers.0": 10, "decoder.layers.1": 10, "decoder.output": 1}
    >>> following(["decoder.layers.1", "decoder.output"], ["decoder.layers.0"], layers) is None
    True
    >>> following(["decoder.output", "encoder.layers.0"], [], layers)
    'decoder.output'
    """
    return next((name for name in order if name not in given and _leaves_most(name, given, layers)), None)


def _leaves_most(name: str, given: Collection[str], layers: Mapping[str, int]) -> bool:
    part = name.partition(".")[0]
    inside = {one: count for one, count in layers.items() if one.partition(".")[0] == part}
    float32 = sum(inside.get(one, 0) for one in {*given, name})
    return 2 * float32 < sum(inside.values())
