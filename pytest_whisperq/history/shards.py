"""The shards of a run that were decoded on several machines: what each leaves behind, and how one run judges them all.

A shard's file is one sealed line of JSON (`system.sealed`). It has what the shard transcribed with each model, the
record of that model, and all that has to be the same in every shard and in the run that judges: corpus, seed, versions,
processor. Nothing is written before every file has been checked against the others and against the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import NoneType
from typing import Any

from pytest_whisperq.backends import distributions, get_backend
from pytest_whisperq.config.settings import paths_of
from pytest_whisperq.decoding.transcript_cache import DECODING
from pytest_whisperq.decoding.wanted import clip_id
from pytest_whisperq.history.document import corpus_digest
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.session import Session
from pytest_whisperq.system import machine
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.files import replace_text
from pytest_whisperq.system.redaction import scrubber
from pytest_whisperq.system.sealed import seal, unseal

KIND = "whisperq-shard"
SCHEMA = 2
"""Raised when a field changes its meaning; shards of one run are saved by one version."""

OPTION = "--whisperq-merge"

_AGAIN = "decode the shard again with this version, by --whisperq-shard and --whisperq-save"
_RECORD: Mapping[str, Any] = {
    "identity": str,
    "files": dict,
    "build_seconds": (float, int, NoneType),
    "build_memory": (int, NoneType),
    "calibration": str,
    "notes": list,
}
_CLIP: Mapping[str, Any] = {"clip": str, "text": str, "language": (str, NoneType), "tokens": (list, NoneType)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A saved shard, under the name of its file: shard ``number`` of ``shards``, from 1 on."""

    path: Path
    document: Mapping[str, Any]

    @property
    def number(self) -> int:
        """Which shard it is."""
        return int(self.document["shard"][0])

    @property
    def shards(self) -> int:
        """How many there are."""
        return int(self.document["shard"][1])

    @property
    def command(self) -> list[str]:
        """The arguments of pytest that made it, less those of a shard. They are shown, and never run."""
        return [str(part) for part in self.document["command"]]


def save_shard(session: Session, specs: Sequence[ModelSpec], command: Sequence[str], path: Path) -> None:
    """Write what a shard has transcribed with ``specs``; raise `StoreError` where that cannot be written."""
    config = session.config
    shown: dict[str, Any] = {
        "kind": KIND,
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "shard": list(config.shard or ()),
        **_of_run(session),
        "command": list(command),
        "models": [_of_model(session, spec) for spec in specs],
    }
    document = scrubber(paths_of(config))(shown)
    for model, spec in zip(document["models"], specs, strict=True):
        header, clips = session.share_clips(spec)
        model |= {"compute_type": header["compute_type"], "operations": header["operations"]}
        model["clips"] = [{name: row[name] for name in _CLIP} for row in clips]
    replace_text(path, seal(document, KIND), "--whisperq-save")


def _of_run(session: Session) -> dict[str, Any]:
    """Return what is the same in every shard of a run."""
    return {
        "corpus": corpus_digest(session.corpus, session.recordings.facts),
        "seed": session.config.seed,
        "decoding": DECODING,
        "cpu": machine.described(session.config.device),
    }


def _of_model(session: Session, spec: ModelSpec) -> dict[str, Any]:
    artifact = session.built(spec)
    return {
        "name": str(spec),
        "spec": _identity(spec),
        "versions": machine.versions(distributions(get_backend(spec.backend), spec.precision)),
        "artifact": artifact.key,
        "record": dict(session.store.record(artifact)),
    }


def _identity(spec: ModelSpec) -> list[Any]:
    folder = spec.folder.identity if spec.folder else ""
    return [spec.backend, spec.precision, spec.source.identity, list(spec.ignored), folder]


def read_shards(paths: Sequence[Path]) -> tuple[Shard, ...]:
    """Read all shards of a run, in their order.

    Raises `ConfigError` that names the file and what is wrong: it is no shard, or damaged, or of another run; and where
    one is missing or there twice.
    """
    shards = sorted(map(_read, paths), key=lambda shard: shard.number)
    for first, second in pairwise(shards):
        if first.number == second.number:
            raise ConfigError(
                f"{second.path} is shard {second.number} of {second.shards}, and so is {first.path}",
                where=OPTION,
                remedy="name each shard once",
            )
    one = shards[0]
    for other in shards[1:]:
        _refuse_difference(str(other.path), _told(other.document), str(one.path), _told(one.document))
    if missing := sorted(set(range(1, one.shards + 1)) - {shard.number for shard in shards}):
        raise ConfigError(
            f"{len(missing)} of {one.shards} shards are missing: {', '.join(map(str, missing))}",
            where=OPTION,
            remedy=f"decode them with --whisperq-shard {missing[0]}/{one.shards} and the like, and name their files",
        )
    return tuple(shards)


def _read(path: Path) -> Shard:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror or error}", where=OPTION, remedy="name a saved shard"
        ) from error
    lines = unseal(data, KIND)
    document = lines.records[0] if len(lines.records) == 1 else {}
    if lines.damaged or lines.is_cut or document.get("kind") != KIND:
        is_ours = f'"kind": "{KIND}"'.encode() in data[:100]
        what = "is damaged" if is_ours else "is no saved shard"
        raise ConfigError(f"{path} {what}", where=OPTION, remedy=_AGAIN)
    if document.get("schema") != SCHEMA:
        raise ConfigError(f"{path} is of version {document.get('schema')!r}, not {SCHEMA}", where=OPTION, remedy=_AGAIN)
    if not all(map(_is_model, document["models"])):
        raise ConfigError(f"{path} has a model that is none", where=OPTION, remedy=_AGAIN)
    return Shard(path=path, document=document)


def _is_model(model: Mapping[str, Any]) -> bool:
    """Whether the record and the clips of a model have what the cache reads of them, whoever has sealed the file."""
    record = model["record"]
    is_record = all(isinstance(record.get(name), kind) for name, kind in _RECORD.items()) and all(
        isinstance(file, list) and len(file) == 2 and isinstance(file[0], int) for file in record["files"].values()
    )
    return is_record and all(
        set(row) == set(_CLIP) and all(isinstance(row[name], kind) for name, kind in _CLIP.items())
        for row in model["clips"]
    )


def _told(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what has to be the same in all shards of a run, the plainest first, with a name for it."""
    yield "the number of shards", document["shard"][1]
    yield from _told_of_run(document)
    yield "the models", sorted(model["name"] for model in document["models"])
    for model in sorted(document["models"], key=lambda one: str(one["spec"])):
        name = model["name"]
        yield f"what {name} is made of", model["spec"]
        yield f"the versions of {name}", model["versions"]
        yield f"the key of {name}", model["artifact"]
        yield f"the weights of {name}", model["record"]["identity"]
        yield f"the compute type of {name}", model["compute_type"]
        yield f"the operations of {name}", model["operations"]


def _told_of_run(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "the seed", document["seed"]
    yield "the corpus", document["corpus"]
    yield "the way of decoding", document["decoding"]
    yield "the processor", document["cpu"]


def _refuse_difference(
    where: str, found: Iterator[tuple[str, Any]], other: str, expected: Iterator[tuple[str, Any]]
) -> None:
    for (name, here), (_, there) in zip(found, expected, strict=False):
        if here != there:
            raise ConfigError(
                f"{where} is of another run: {name} is {here!r}, and {there!r} in {other}",
                where=OPTION,
                remedy="merge shards of one run, which agree in corpus, seed, models, versions and processor",
            )


class Merged:
    """The shards that ``--whisperq-merge`` names, taken into the cache of a run; made once, before the first gate.

    ``lines`` say what was merged.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        shards = read_shards(session.config.merge)
        self._check(shards)
        specs = self._specs(shards)
        for spec, models in specs:
            session.refuse_contradiction(spec, models[0]["record"]["identity"], models[0], _clips(models))
        for spec, models in specs:
            if not spec.folder:
                session.store.borrow(spec, models[0]["record"])
            session.take(spec, models[0], _clips(models))
        names = ", ".join(str(spec) for spec, _ in specs)
        count = len(session.corpus.utterances)
        self.lines = [f"merged {len(shards)} shards: {count} utterances, transcribed by {names}"]

    def _check(self, shards: Sequence[Shard]) -> None:
        """Raise `ConfigError` for shards that are not of this run, or do not have what they should."""
        session, one = self._session, shards[0]
        _refuse_difference(str(one.path), _told_of_run(one.document), "this run", _told_of_run(_of_run(session)))
        for shard in shards:
            wanted = {
                clip_id(item, session.recordings.facts)
                for item in session.recordings.share(shard.number, shard.shards).utterances
            }
            for model in shard.document["models"]:
                if {row["clip"] for row in model["clips"]} != wanted:
                    raise ConfigError(
                        f"{shard.path} does not have the clips of shard {shard.number} as {model['name']} says them",
                        where=OPTION,
                        remedy=_AGAIN,
                    )

    def _specs(self, shards: Sequence[Shard]) -> list[tuple[ModelSpec, list[Mapping[str, Any]]]]:
        """Return each model with what every shard has of it; raise `ConfigError` for one that this run does not have.

        And for one that is something else here.
        """
        session, one = self._session, shards[0]
        candidates = [session.spec(each) for each in session.config.candidates if not each.missing]
        known = {str(_identity(spec)): spec for spec in (session.baseline_spec, *candidates)}
        specs = []
        for model in one.document["models"]:
            spec = known.get(str(model["spec"]))
            if spec is None:
                raise ConfigError(
                    f"{one.path} has transcripts of {model['name']}, which is no model of this run, or of other files",
                    where=OPTION,
                    remedy="judge with the model, baseline and candidates that the shards were run with",
                )
            here = {
                "the versions": machine.versions(distributions(get_backend(spec.backend), spec.precision)),
                "the key": session.store.key(spec),
            }
            there = {"the versions": model["versions"], "the key": model["artifact"]}
            if built := session.store.built(spec):
                here["the weights"], there["the weights"] = built.identity, model["record"]["identity"]
            for name, value in here.items():
                if value != there[name]:
                    raise ConfigError(
                        f"{one.path} is of another run: {name} of {spec} is {there[name]!r}, and {value!r} here",
                        where=OPTION,
                        remedy="judge with the versions, calibration and backends that the shards were run with",
                    )
            specs.append((spec, [_same(shard, model) for shard in shards]))
        return specs


def _same(shard: Shard, model: Mapping[str, Any]) -> Mapping[str, Any]:
    return next(one for one in shard.document["models"] if one["spec"] == model["spec"])


def _clips(models: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for model in models for row in model["clips"]]
