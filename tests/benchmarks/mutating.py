"""Mutants of a module: what cosmic-ray's operators make of it, and four of our own that find code nobody misses.

Of comparisons and arithmetic those are taken that are hardest to find: the test that finds `<=`, `!=` and `>=` in
place of `<` finds `>` too (Kaminski, Ammann, Offutt 2013), and the one that finds `-` for `+` nearly always `*`. Left
aside are mutants of annotations, those that are the same code as another, and names that are never given a value.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names
from parso.python.tree import Keyword, Newline
from parso.tree import BaseNode

_KEPT = re.compile(
    r"core/(?:"
    r"ReplaceBinaryOperator_(?:Add_Sub|Sub_Add|Mul_FloorDiv|FloorDiv_Mul|Div_Mul|Mod_Mul)"
    r"|ReplaceComparisonOperator_(?:Lt_(?:LtE|NotEq|GtE)|LtE_(?:Lt|Eq|Gt)|Gt_(?:GtE|NotEq|LtE)|GtE_(?:Gt|Eq|Lt)"
    r"|Eq_(?:NotEq|LtE|GtE)|NotEq_(?:Eq|Lt|Gt)|Is_IsNot|IsNot_Is)"
    r"|ReplaceUnaryOperator_(?:USub_UAdd|Delete_Not)|Replace(?:True|False|And|Or|Break|Continue)With\w+"
    r"|AddNot|NumberReplacer|RemoveDecorator|ZeroIterationForLoop)"
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one change: where, by which operator, its source, and the change as lines of a diff.

    Its name is made of what its code does: comments and annotations may change, and it keeps it.
    """

    name: str
    module: str
    line: int
    operator: str
    source: str
    change: tuple[str, ...]


class _Own(Operator):
    """An operator that lists what may stand in place of a node."""

    def instead(self, node: Any) -> list[Any]:
        raise NotImplementedError

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        return ((node.start_pos, node.end_pos) for _ in self.instead(node))

    def mutate(self, node: Any, index: int) -> Any:
        return self.instead(node)[index]

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class LeaveOut(_Own):
    """Leaves out a statement: a call, a return, a raise, or what gives a value to anything but a new name."""

    def instead(self, node: Any) -> list[Any]:
        first = node.get_first_leaf()
        if node.type != "simple_stmt" or first.value in ("import", "from", "pass", "break", "continue"):
            return []
        statement = node.children[0]
        if statement.type == "string" or (statement.type == "expr_stmt" and statement.children[0].type == "name"):
            return []
        where = first.start_pos
        return [BaseNode([Keyword("pass", where, first.prefix), Newline("\n", where)])]


class MinForMax(_Own):
    """Takes the least in place of the greatest, and the other way round."""

    def instead(self, node: Any) -> list[Any]:
        if node.type != "name" or node.value not in ("min", "max"):
            return []
        return [Keyword("max" if node.value == "min" else "min", node.start_pos, node.prefix)]


class FewerConditions(_Own):
    """Leaves out one operand of `and` or `or`."""

    def instead(self, node: Any) -> list[Any]:
        if node.type not in ("and_test", "or_test"):
            return []
        parts = node.children
        return [
            BaseNode([*parts[: max(0, index - 1)], *parts[index + (1 if index else 2) :]])
            for index in range(0, len(parts), 2)
        ]


class NoFilter(_Own):
    """Leaves out the condition of a comprehension."""

    def instead(self, node: Any) -> list[Any]:
        return [BaseNode([])] if node.type == "comp_if" else []


class _Bare(ast.NodeTransformer):
    """Takes annotations away."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(0)
        return self.generic_visit(node)


def _meaning(source: str) -> str | None:
    """Return what makes two sources the same code; None for what is no Python."""
    try:
        return ast.dump(_Bare().visit(ast.parse(source)))
    except SyntaxError:
        return None


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Give every mutant of a module once, in an order that does not change."""
    known = {_meaning(source)}
    core = [get_operator(name)() for name in sorted(operator_names()) if _KEPT.fullmatch(name)]
    for operator in (*core, LeaveOut(), MinForMax(), FewerConditions(), NoFilter()):
        occurrence = 0
        while (mutated := mutate_code(source, operator, occurrence)) is not None:
            occurrence += 1
            if (meaning := _meaning(mutated)) is not None and meaning not in known:
                known.add(meaning)
                name = hashlib.sha256(meaning.encode()).hexdigest()[:16]
                yield _mutant(name, module, type(operator).__name__, source, mutated)


def _mutant(name: str, module: str, operator: str, source: str, mutated: str) -> Mutant:
    diff = list(unified_diff(source.splitlines(), mutated.splitlines(), n=0, lineterm=""))[2:]
    line = int(re.findall(r"\d+", diff[0])[0])
    return Mutant(name, module, line, operator, mutated, tuple(diff[1:]))
