"""Which block of a quantized model may be given back to float32, so that its precision is still what executes."""

from collections.abc import Callable, Collection, Sequence


def following(order: Sequence[str], given: Collection[str], executes: Callable[[Collection[str]], bool]) -> str | None:
    """Return the first block of ``order`` that may be given back beside those ``given``; None where none may.

    ``executes`` says whether the precision is still what executes with some blocks in float32: the one count there is,
    read back from the compiled model. A block with which it is not is passed over.

    >>> following(["decoder.layers.1", "decoder.output"], ["decoder.layers.0"], lambda float32: len(float32) < 2)
    >>> following(["decoder.layers.1", "decoder.output"], [], lambda float32: "decoder.layers.1" not in float32)
    'decoder.output'
    """
    return next((name for name in order if name not in given and executes({*given, name})), None)
