"""The blocks of an OpenVINO Whisper, and graphs of which some blocks are quantized and the others are not.

A block is what lies between two places where all that is known of a clip runs through one tensor: ``layers.0`` and so
on, ``input`` before the first, and ``output`` behind the last. A part's name goes before it: ``encoder.layers.3``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Any

from pytest_whisperq.backends._openvino_graph import is_matrix
from pytest_whisperq.backends._openvino_layers import block_ends, operations, unlike
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import unknown

PARTS = ("encoder", "decoder")
INPUT, OUTPUT = "input", "output"

_BLOCK = re.compile(r"\blayers\.\d+")
_LAST = "proj_out"
"""The layer behind the last block: what it says are the scores of tokens."""
_EMBEDDING = re.compile(r"^__module\.(model\.decoder\.)?embed_(tokens|positions)/.*Gather$")


def block_of(layer: str) -> str:
    """Return the block that a layer is in.

    >>> [block_of(name) for name in ("layers.3.self_attn.q_proj", "conv1", "proj_out")]
    ['layers.3', 'input', 'output']
    """
    match = _BLOCK.search(layer)
    return match[0] if match else OUTPUT if layer == _LAST else INPUT


def blocks(part: Any) -> dict[str, list[str]]:
    """Return the operations with weights of one graph by block, blocks in the order in which a clip goes through them.

    They are named as the graph names them, which is what NNCF ignores them by.
    """
    found: dict[str, list[str]] = {INPUT: [], **{name: [] for name in _ends(part)}, OUTPUT: []}
    for layer, operation in operations(part).items():
        found[block_of(layer)].append(operation)
    names = (str(operation.get_friendly_name()) for operation in part.get_ordered_ops())
    found[INPUT] += [name for name in names if _EMBEDDING.match(name)]
    return {name: inside for name, inside in found.items() if inside}


def ignored_operations(model: Any, names: Collection[str]) -> dict[str, list[str]]:
    """Return the operations of blocks to be left alone, by part; ``names`` are as in ``encoder.layers.3``.

    Raises `ConfigError` for a block that the ``OVModelForSpeechSeq2Seq`` does not have.
    """
    parts = {part: getattr(model, part).model for part in PARTS}
    known = {f"{part}.{block}": inside for part, graph in parts.items() for block, inside in blocks(graph).items()}
    for name in names:
        if name not in known:
            raise unknown("unknown block", name, known, where="--whisperq-ignored-blocks")
    return {part: [one for name in names if name.partition(".")[0] == part for one in known[name]] for part in parts}


def part_weights(graph: Any, ignored: Collection[str]) -> None:
    """Give the operations ``ignored`` weights of their own where others read the same, in place.

    Whisper's scores are products with the embeddings of tokens. What quantizes these for one would do it for both.
    """
    openvino = optional_imports.require("openvino", extra="openvino", purpose="mix OpenVINO models")
    for constant in graph.get_ops():
        if constant.get_type_name() == "Constant" and is_matrix(constant.shape):
            users = constant.output(0).get_target_inputs()
            alone = [user for user in users if user.get_node().get_friendly_name() in ignored]
            if 0 < len(alone) < len(users):
                own = openvino.opset13.constant(constant.data)
                for user in alone:
                    user.replace_source_output(own.output(0))


def graft(original: Any, quantized: Any, chosen: Collection[str]) -> Any:
    """Return a copy of the graph ``original`` in which the blocks ``chosen`` are those of ``quantized``.

    Both are graphs of one part of one model, the second made of the first. Inputs and states are those of the original,
    so that a decoder goes on keeping what it has heard. Raises `BuildError` where the blocks cannot be told apart.
    """
    openvino = optional_imports.require("openvino", extra="openvino", purpose="mix OpenVINO models")
    host, donor = original.clone(), quantized.clone()
    mine = {INPUT: _entry(host), **_ends(host)}
    theirs = {INPUT: _named(donor, mine[INPUT]), **_ends(donor)}
    if mine.keys() != theirs.keys():
        raise unlike()
    order = [*mine, OUTPUT]
    given, fillings = list(_given(host, donor)), list(_fillings(host, donor))  # once joined, one is found in the other
    for one, other in given:
        _redirect(other, one)
    for previous, block in pairwise(order):
        if block in chosen:
            _redirect(theirs[previous], mine[previous])
    for block in mine:
        if block in chosen:
            _redirect(mine[block], theirs[block])
    for block, target, source in fillings:
        if block in chosen:
            target.replace_source_output(source)
    return openvino.Model(host.get_results(), host.get_sinks(), host.get_parameters(), host.get_friendly_name())


def stream(original: Any, model: Any) -> dict[str, Any]:
    """Return what each block of a graph says to the next; ``model`` is ``original`` or mixed of it."""
    (result, *_) = model.get_results()
    return {INPUT: _named(model, _entry(original)), **_ends(model), OUTPUT: result.input_value(0)}


def weight_bytes(part: Any) -> int:
    """Return the bytes of all constants of a graph, which is nearly what its file takes."""
    return sum(int(op.get_byte_size()) for op in part.get_ops() if op.get_type_name() == "Constant")


def _ends(model: Any) -> dict[str, Any]:
    """Return the outputs of the blocks in the order of their numbers."""
    ends = {name.removeprefix("block "): port for name, port in block_ends(model).items()}
    return dict(sorted(ends.items(), key=lambda row: int(row[0].rpartition(".")[2])))


def _entry(model: Any) -> Any:
    """Return what the first block is given: the other side of its first sum is what its attention says."""
    first = next(iter(_ends(model)), None)
    for operation in model.get_ordered_ops():
        name = str(operation.get_friendly_name())
        if first and name.endswith(f"{first}/aten::add/Add"):
            given = [port for port in operation.input_values() if not _BLOCK.search(_source(port))]
            if len(given) == 1:
                return given[0]
    raise unlike()


def _named(model: Any, port: Any) -> Any:
    """Return the port of ``model`` that has the name of one of another graph."""
    name = _source(port)
    for operation in model.get_ordered_ops():
        if operation.get_friendly_name() == name:
            return operation.output(port.get_index())
    raise unlike()


def _given(host: Any, donor: Any) -> Iterator[tuple[Any, Any]]:
    """Yield pairs of what both graphs are given from outside: inputs, and states of calls before."""
    inputs = {port.any_name: port for port in host.inputs}
    for port in donor.inputs:
        yield inputs[port.any_name], port
    states = _states(host)
    for name, operation in _states(donor).items():
        yield states[name].output(0), operation.output(0)


def _fillings(host: Any, donor: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield what leaves a block beside its output: the block, where it goes in the host, and where it comes from.

    That is what a state is set to and begins with, and what the graph says in the end.
    """
    for collect in (_states, _sinks):
        others = collect(donor)
        for name, operation in collect(host).items():
            for target in operation.inputs():
                source = target.get_source_output()
                if match := _BLOCK.search(_source(source)):
                    yield match[0], target, others[name].input_value(target.get_index())
    for result, other in zip(host.get_results(), donor.get_results(), strict=True):
        yield OUTPUT, result.input(0), other.input_value(0)


def _states(model: Any) -> dict[str, Any]:
    return {op.get_variable_id(): op for op in model.get_ordered_ops() if op.get_type_name() == "ReadValue"}


def _sinks(model: Any) -> dict[str, Any]:
    return {op.get_variable_id(): op for op in model.get_sinks()}


def _source(port: Any) -> str:
    return str(port.get_node().get_friendly_name())


def _redirect(source: Any, other: Any) -> None:
    """Let all that reads ``source`` read ``other``."""
    for target in list(source.get_target_inputs()):
        target.replace_source_output(other)
