"""Which gates there are: one file of this folder each, those of installed packages, and those a conftest registers.

A gate is a value, `Gate`. Its marker, the method of ``whisperq_gate``, what ``pytest --markers`` says and the table of
the documentation are made of it. Only names are needed before a test asks for a gate, and its file is imported then:
this one is loaded by every pytest run that has the plugin installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_whisperq.gates.keywords import Keyword
from pytest_whisperq.system.errors import ConfigError, unknown
from pytest_whisperq.system.extensions import Extensions

if TYPE_CHECKING:
    from pytest_whisperq.config.candidates import Candidate
    from pytest_whisperq.config.settings import GateConfig
    from pytest_whisperq.judging.rule import Outcome
    from pytest_whisperq.session import Session

GROUP = "pytest_whisperq.gates"
"""Entry point group of packages that bring a gate: name → ``module:VALUE``."""

PREFIX = "whisperq_"
"""What the name of a gate's marker begins with."""


class Gate(NamedTuple):
    """A gate: what a test may demand of a candidate, and how that is judged.

    ``run`` gets the session, the candidate, and the value of every keyword, as given or by default; it returns an
    `Outcome` whose judgement has the gate's name.

    ``hears_speech``: it judges what is said, which means nothing for random weights.
    ``judges_transcripts``: it needs no more than transcripts of the corpus, which shards of a run can make.
    ``judges_translations``: it needs no more than translations of it, which a cluster makes, and no shard.
    ``extendable``: more of the corpus may help to decide it (``--whisperq-on-inconclusive=extend``).
    ``needs_whole_corpus``: it judges transcripts of the whole corpus, which are not made for a broken candidate.
    ``is_timed``: it times, which it cannot beside other processes of the same run.
    ``refuse`` says what is wrong with the keywords that a test gives together, or "".
    ``parts`` names the gates that it puts together with these keywords: what is said above is then asked of them.
    ``first`` is the keyword that may be given without its name.
    ``foresee`` says in lines, before anything is decoded, what the corpus can certify of these limits.
    """

    name: str
    summary: str
    keywords: Mapping[str, Keyword]
    run: Callable[[Session, Candidate, Mapping[str, Any]], Outcome]
    hears_speech: bool = False
    judges_transcripts: bool = False
    judges_translations: bool = False
    extendable: bool = False
    needs_whole_corpus: bool = False
    is_timed: bool = False
    refuse: Callable[[Mapping[str, Any]], str] | None = None
    parts: Callable[[Mapping[str, Any]], Iterable[str]] | None = None
    first: str = ""
    foresee: Callable[[Session, Candidate, Mapping[str, Any]], list[str]] | None = None

    @property
    def marker(self) -> str:
        """The name of its marker, ``whisperq_accuracy``."""
        return f"{PREFIX}{self.name}"

    @property
    def usage(self) -> str:
        """The line that ``pytest --markers`` shows."""
        return f"{self.marker}({', '.join(f'{key}=' for key in self.keywords)}): {self.summary}"

    def check(self, given: Mapping[str, Any], where: str) -> None:
        """Raise `ConfigError` naming ``where`` for a keyword that does not exist or a value that is not allowed."""
        for key, value in given.items():
            if key not in self.keywords:
                raise unknown("unknown keyword", key, self.keywords, where=where)
            if problem := self.keywords[key].check(value):
                raise ConfigError(f"{key} must be {problem} (got {value!r})", where=where)
        if problem := self.together(given):
            raise ConfigError(problem, where=where)

    def named(self, given: Sequence[Any], keywords: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Return the keywords with what was given before them; raise `ConfigError` for what has to be named."""
        if len(given) > (1 if self.first else 0) or (given and self.first in keywords):
            which = f"one value, {self.first}, and else keywords" if self.first else "keywords"
            raise ConfigError(
                f"takes {which} only (got {given[-1]!r})", where=where, remedy=f"valid: {', '.join(self.keywords)}"
            )
        return {**({self.first: given[0]} if given else {}), **keywords}

    def made_of(self, limits: Mapping[str, Any]) -> tuple[Gate, ...]:
        """Return the gates that judge with these values of all keywords: itself, unless it puts others together."""
        return tuple(map(get_gate, self.parts(limits))) if self.parts else (self,)

    def together(self, given: Mapping[str, Any]) -> str:
        """Return what is wrong with keywords together, or ""."""
        return self.refuse(given) if self.refuse else ""

    def limits(self, config: GateConfig, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of every keyword: as given, or where that is None what the option says, or the default.

        Raises `ConfigError` for keywords that mean nothing together.
        """
        if problem := self.together(given):
            raise ConfigError(problem, where=self.marker)
        values = {name: given.get(name) for name in self.keywords}
        return {name: _default(self.keywords[name], config) if one is None else one for name, one in values.items()}


def _default(keyword: Keyword, config: GateConfig) -> Any:
    configured = getattr(config, keyword.option) if keyword.option else None
    return keyword.default if configured is None else configured


_FILES = (
    *("parity", "accuracy", "terms", "entities", "format", "catastrophe"),
    *("language", "translation", "longform", "timestamps", "streaming"),
    *("size", "memory", "speedup", "energy", "determinism", "limit"),
)

_GATES = Extensions(
    "gate",
    GROUP,
    "pytest_whisperq_gates",
    {name: f"pytest_whisperq.gates.{name}:GATE" for name in _FILES},
    reserved=("report", "skip", "run", "judge", "merge_contract"),  # methods of `whisperq_gate`; a marker, no gate
)

names = _GATES.names


def register(groups: Iterable[Iterable[Gate]]) -> Callable[[], None]:
    """Make gates known, instead of those registered before; call the result to bring those back.

    Raises `ConfigError` for a name that is taken, and for what is no gate.
    """
    return _GATES.register({_checked(gate).name: gate} for gates in groups for gate in gates)


def get_gate(name: str, where: str = "gate") -> Gate:
    """Return a gate by name; raise `ConfigError` naming ``where`` that lists the valid ones."""
    gate = _checked(_GATES.find(name, where))
    if gate.name != name:
        raise ConfigError(f"gate {name!r} calls itself {gate.name!r}", remedy="register it under the name it has")
    return gate


def all_gates() -> tuple[Gate, ...]:
    """Return every gate, in the order in which tables show them."""
    return tuple(map(get_gate, names()))


def gate_of_marker(marker: str) -> str:
    """Return the name of the gate that a marker asks for, or "" if it asks for none."""
    name = marker.removeprefix(PREFIX)
    return name if marker.startswith(PREFIX) and name in names() else ""


def _checked(gate: Any) -> Gate:
    if not isinstance(gate, Gate):
        raise ConfigError(
            f"a gate is a value of pytest_whisperq.gates.Gate (got {gate!r})", remedy="see docs/own-gate.md"
        )
    if not gate.name.isidentifier():
        raise ConfigError(f"the gate name {gate.name!r} cannot be that of a marker", remedy="use letters, digits and _")
    return gate
