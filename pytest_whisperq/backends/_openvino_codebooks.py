"""Weights that OpenVINO looks up: vectors of several weights, or single ones, in a codebook that k-means finds.

Vector quantization, ``vqDxE``: a matrix becomes the indices of the nearest of E vectors of D weights each, D weights in
log₂E bits (Gersho and Gray, Vector quantization and signal compression, 1992; of network weights: Stock et al.,
arXiv:1907.05686). The graph has ``Gather(codebook, indices)`` → ``Multiply(scale)`` → ``Reshape`` in the place of the
weights. A codebook of single weights, ``codebook``, is NNCF's: it is given the values.

All matrices of a model share one codebook: in small ones it would take more bytes than the indices. So each group of 64
weights is divided by its root mean square first. Its scale is the one of least squares for what was looked up.

Vectors replace linear layers and the embedding of tokens. Convolutions, positions, norms and biases stay float32.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import BuildError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Weights: TypeAlias = NDArray[np.float32]

VECTORS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {f"vq{dim}x{entries}": (dim, entries) for dim, entries in ((2, 256), (2, 16), (4, 256), (4, 16), (8, 256))}
)
"""Precision → weights of a vector, and vectors of the codebook: 16 or 256, whose indices fill 4 or 8 bits."""

SCALAR = "codebook"
"""The precision of NNCF's look-up table."""

GROUP = 64
"""Weights of a row that share a scale."""

_SAMPLE, _SEED, _STEPS = 65_536, 0, 50
"""Of k-means: about how many vectors it sees, what its draws begin with, and after how many steps it ends."""

_FEWEST = 4
"""Vectors for each entry of a codebook, without which k-means finds nothing."""

_SHORT = 16
"""Entries of a codebook whose indices fill 4 bits; so many values has a scalar one."""

_EXTRA, _PURPOSE = "openvino", "quantize weights to a codebook"


def quantize(graphs: Sequence[Any], dim: int, entries: int, ignored: Collection[str] = ()) -> None:
    """Replace the weight matrices of all ``graphs`` of a model by look-ups in one codebook.

    The operations ``ignored`` go on with their float32 weights. The codebook is found in all matrices, whatever is
    ignored: so a block says the same, whichever others are quantized.
    """
    import numpy as np

    book = _centres(graphs, dim, entries, _rms).astype(np.float16)
    for graph in graphs:
        _replace(graph, book, ignored)


def scalars(graphs: Sequence[Any]) -> NDArray[np.float16]:
    """Return the values of a scalar codebook, shape (16,), sorted.

    They are what k-means finds among the weights, each divided by the largest magnitude of its group. The first and the
    last are −1 and 1: NNCF has the largest value of a codebook stand for the largest weight.
    """
    import numpy as np

    found = np.sort(_centres(graphs, 1, _SHORT, _largest).ravel())
    found[0], found[-1] = -1, 1
    return found.astype(np.float16)


def _rms(rows: Weights) -> Weights:
    import numpy as np

    sizes: Weights = np.sqrt(np.square(rows).mean(axis=1, keepdims=True))
    return sizes


def _largest(rows: Weights) -> Weights:
    import numpy as np

    sizes: Weights = np.abs(rows).max(axis=1, keepdims=True)
    return sizes


def _centres(graphs: Sequence[Any], dim: int, entries: int, size: Callable[[Weights], Weights]) -> Weights:
    """Return what k-means finds, shape (``entries``, ``dim``), in a sample of the weights of all matrices.

    One thread: sums of several come in any order, and a build has to be reproducible.
    """
    import numpy as np

    cluster = optional_imports.require("sklearn.cluster", extra=_EXTRA, purpose=_PURPOSE)
    threads = optional_imports.require("threadpoolctl", extra=_EXTRA, purpose=_PURPOSE)
    random = np.random.default_rng(_SEED)
    counts = sum(weights.size for graph in graphs for _, weights in matrices(graph)) // dim
    if counts < _FEWEST * entries:
        raise BuildError(
            f"{counts} vectors of {dim} weights are too few for a codebook of {entries}",
            remedy="gate a precision with a smaller codebook",
        )
    drawn = []
    for graph in graphs:
        for _, weights in matrices(graph):
            rows = _grouped(weights)
            vectors = _divided(rows, size(rows)).reshape(-1, dim)
            drawn.append(vectors[random.random(len(vectors)) < _SAMPLE / counts])
    means = cluster.KMeans(entries, n_init=1, max_iter=_STEPS, random_state=_SEED)
    with threads.threadpool_limits(1):
        centres: Weights = means.fit(np.concatenate(drawn)).cluster_centers_
    return centres


def matrices(graph: Any) -> Iterator[tuple[Any, Weights]]:
    """Yield the constants of a graph that a matrix product multiplies by, with their values, shape (rows, columns)."""
    for constant in sorted(graph.get_ops(), key=lambda operation: str(operation.get_friendly_name())):
        if constant.get_type_name() == "Constant" and len(constant.shape) == 2:
            users = constant.output(0).get_target_inputs()
            if any(user.get_node().get_type_name() == "MatMul" and user.get_index() == 1 for user in users):
                yield constant, constant.data


def _grouped(weights: Weights) -> Weights:
    if weights.shape[1] % GROUP:
        raise BuildError(
            f"a matrix has rows of {weights.shape[1]} weights, which groups of {GROUP} do not divide",
            remedy="gate a precision of another width, such as int8",
        )
    return weights.reshape(-1, GROUP)


def _divided(rows: Weights, sizes: Weights) -> Weights:
    import numpy as np

    return np.divide(rows, sizes, out=np.zeros_like(rows), where=sizes > 0)


def nearest(rows: Weights, book: NDArray[np.float16]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Return indices into a codebook and scales of groups of weights.

    Shapes: ``rows`` (groups, 64), ``book`` (entries, dim), indices (groups, 64 / dim), scales (groups, 1).
    """
    import numpy as np
    from scipy.cluster.vq import vq

    vectors = book.astype(np.float32)
    found, _ = vq(_divided(rows, _rms(rows)).reshape(-1, vectors.shape[1]), vectors)
    chosen = vectors[found].reshape(rows.shape)
    products, squares = ((one * chosen).sum(axis=1, keepdims=True) for one in (rows, chosen))
    scales = _divided(products, squares).astype(np.float16)
    return found.astype(np.uint8).reshape(len(rows), -1), scales


def _replace(graph: Any, book: NDArray[np.float16], ignored: Collection[str]) -> None:
    openvino = optional_imports.require("openvino", extra=_EXTRA, purpose=_PURPOSE)
    operations, types = openvino.opset13, openvino.Type
    is_short = len(book) <= _SHORT
    for constant, weights in list(matrices(graph)):
        readers = constant.output(0).get_target_inputs()
        users = [user for user in readers if user.get_node().get_friendly_name() not in ignored]
        if not users:
            continue
        name, (height, width) = constant.get_friendly_name(), weights.shape
        indices, scales = nearest(_grouped(weights), book)
        shape = (height, width // GROUP)
        stored = operations.constant(
            indices.reshape(*shape, -1), types.u4 if is_short else types.u8, name=f"{name}/indices"
        )
        # In no wider type: then the runtime would fold the look-up into float32 weights.
        indexed = operations.convert(stored, types.u8) if is_short else stored
        # Each has constants of its own, which share their bytes in the file. The runtime compiles apart what only sets
        # a first state, and fails where that uses a constant of the rest.
        looked_up = operations.gather(
            operations.constant(book), indexed, operations.constant(0, types.i64), name=f"{name}/codebook"
        )
        scaled = operations.multiply(looked_up, operations.constant(scales.reshape(*shape, 1, 1)))
        whole = operations.reshape(scaled, operations.constant([height, width], types.i64), False)
        weights_again = operations.convert(whole, types.f32)
        for user in users:
            user.replace_source_output(weights_again.output(0))
    graph.validate_nodes_and_infer_types()
