"""The one format of a run: ``report.json``, which reports are rendered from and runs are compared by.

The document is plain JSON data, of which a run that has just ended keeps the utterances on disk (`ROW`). `schema.json`
beside this file describes it, and docs/reports.md explains it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, cast

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.decoding.transcript_cache import Known
from pytest_whisperq.judging.verdict import Judgement
from pytest_whisperq.measuring.groups import Groups
from pytest_whisperq.measuring.intervals import judged_by
from pytest_whisperq.measuring.scores import as_compared, count_length, score
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.clip_index import ClipFacts
from pytest_whisperq.speech.corpus import Corpus, Utterance
from pytest_whisperq.speech.normalizers import Normalizer, restore
from pytest_whisperq.speech.substitutions import Substitutions
from pytest_whisperq.system.devices import CPU, on
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.files import first_line, replace_text
from pytest_whisperq.system.keys import as_bytes
from pytest_whisperq.system.on_disk import Form
from pytest_whisperq.system.redaction import shareable, text_digest
from pytest_whisperq.system.scratch import scratch

SCHEMA = 1
"""Raised when a field changes its meaning or goes; readers ignore fields that they do not know."""

ROW: Form[Mapping[str, Any]] = Form(plain=json.dumps, make=json.loads)
"""How an utterance of a document is kept on disk: as it is written."""

BASELINE, CANDIDATE = "baseline", "candidate"
"""The roles of models."""

_ANOTHER = "name a report.json"
REPORTED = "REPORTED"
"""Stands for a verdict where nothing was demanded."""

_SAVE_AGAIN = "save the run again with this version, by --whisperq-save"


@dataclass(frozen=True, slots=True)
class StoredUtterance:
    """One utterance of a stored run.

    clip: identity of the sound. annotation: digest of its row of the corpus. length: of the reference under the run's
    normalizer, in words or characters; errors: of each model that heard it, by name.
    """

    id: str
    clip: str
    annotation: str
    cluster: str
    length: int
    errors: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Totals:
    """What the utterances that count come to: how many there are, and their length.

    heard: how many of them each model heard, by name; errors: how many it made there.
    """

    utterances: int
    length: int
    heard: Mapping[str, int]
    errors: Mapping[str, int]


@dataclass(frozen=True)
class StoredRun:
    """A run read back: its document, under the name a user knows it by."""

    name: str
    document: Mapping[str, Any]

    @property
    def normalizer(self) -> str:
        """Name and version of the normalizer of all counts."""
        return str(self.document["settings"]["normalizer"])

    @property
    def own_normalizer(self) -> Normalizer | None:
        """That very normalizer, where this installation still has it and the document is not redacted of it."""
        pairs = self.document["settings"].get("substitutions")
        return restore(self.normalizer, Substitutions(pairs) if pairs else None)

    @property
    def metric(self) -> str:
        """What was counted: "wer", "cer" or "mer"."""
        return str(self.document["settings"]["metric"])

    @property
    def device(self) -> str:
        """What its models computed on."""
        return str(self.document["settings"].get("device", CPU))

    @property
    def timed_on(self) -> tuple[str, int, str]:
        """All of a machine that speed depends on: processor, threads, and the GPU of a run that used one."""
        machine = self.document["environment"]
        return machine["cpu"], machine["threads"], machine.get("gpu", "")

    def checkpoint(self, model: str) -> str:
        """Return the identity of the checkpoint that a model was built of; "" for a model that is not there."""
        return str(self.document["models"].get(model, {}).get("source_identity", ""))

    @cached_property
    def judgements(self) -> tuple[Judgement, ...]:
        """What the gates of the run concluded."""
        return tuple(Judgement.from_dict(gate["judgement"]) for gate in self.document["gates"])

    @cached_property
    def utterances(self) -> dict[str, StoredUtterance]:
        """The utterances that count, by their sound; a recording listed several times is numbered."""
        utterances: dict[str, StoredUtterance] = {}
        often: Counter[str] = Counter()
        for row in self.document["utterances"]:
            if row["errors"] is None:  # nobody speaks
                continue
            often[row["clip"]] += 1
            utterances[f"{row['clip']}#{often[row['clip']]}"] = StoredUtterance(
                id=row["id"],
                clip=row["clip"],
                annotation=row["said"],
                cluster=row["cluster"],
                length=row["length"],
                errors=row["errors"],
            )
        return utterances

    @cached_property
    def judged_by(self) -> tuple[Groups, int]:
        """The group of each of its utterances by which bounds are drawn, and of how many clusters alone they speak."""
        rows = self.utterances.values()
        return judged_by([one.cluster for one in rows], [one.clip for one in rows])

    def named(self, role: str) -> list[str]:
        """Return the names of the models in a role."""
        return [name for name, model in self.document["models"].items() if model["role"] == role]

    @cached_property
    def totals(self) -> Totals:
        """The sums over the utterances that count."""
        utterances = length = 0
        heard: Counter[str] = Counter()
        errors: Counter[str] = Counter()
        for row in self.document["utterances"]:
            if row["errors"] is not None:
                utterances, length = utterances + 1, length + row["length"]
                heard.update(row["errors"].keys())
                errors.update(row["errors"])
        return Totals(utterances=utterances, length=length, heard=heard, errors=errors)

    def models(self, role: str) -> list[str]:
        """Return the names of those of them that heard the whole corpus."""
        return [name for name in self.named(role) if self.totals.heard.get(name, 0) == self.totals.utterances]


def annotation_digest(item: Utterance) -> str:
    """Return the identity of what the corpus says about a clip: transcript, language, kind and cluster."""
    row = [item.reference, item.language, item.kind, item.cluster]
    return hashlib.sha256(json.dumps(row).encode()).hexdigest()[:16]


def corpus_digest(corpus: Corpus, facts: Mapping[str, ClipFacts]) -> str:
    """Return the identity of a corpus: its sounds and what it says about them, in whatever order, files or names."""
    return rows_digest({"clip": facts[item.id].digest, "said": annotation_digest(item)} for item in corpus.utterances)


def rows_digest(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the identity of the corpus whose utterances are ``rows`` of a document."""
    digest = hashlib.sha256(b"[")
    for place, pair in enumerate(_sorted_pairs(rows)):  # as JSON, a row at a time
        digest.update(f"{', ' if place else ''}{json.dumps(pair)}".encode())
    digest.update(b"]")
    return digest.hexdigest()


def _sorted_pairs(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield what ``rows`` are told apart by, sorted on the disk: as Python holds them, a million take 250 MB."""

    def in_bytes(row: Mapping[str, Any]) -> tuple[bytes, ...]:
        return tuple(as_bytes(row[name]) for name in ("clip", "said"))

    with scratch() as database:
        database.execute("CREATE TABLE pairs (clip, said)")
        database.executemany("INSERT INTO pairs VALUES (?, ?)", map(in_bytes, rows))
        for pair in database.execute("SELECT clip, said FROM pairs ORDER BY clip, said"):
            clip, said = (one.decode("utf-8", "surrogatepass") for one in pair)
            yield clip, said


def utterance_rows(
    corpus: Corpus,
    facts: Mapping[str, ClipFacts],
    normalizer: Normalizer,
    metric: Metric,
    known: Mapping[str, Known],
    *,
    redact: bool,
) -> Iterator[dict[str, Any]]:
    """Yield the utterances of a document, with what each model of ``known`` says in them, and its errors.

    A model that did not hear an utterance is not in its texts and errors. Redacted, digests stand for all texts.
    """
    hidden = text_digest if redact else str  # utterances may be clustered by what is said
    for place, item in enumerate(corpus.utterances):
        fact = facts[item.id]
        said = {name: text for name, model in known.items() if (text := model.texts[place]) is not None}
        reference, errors = "", None
        if item.is_speech:
            reference = as_compared(normalizer(item.reference, item.language), item, metric)
            errors = {name: score(item, text, normalizer, metric).errors for name, text in said.items()}
        yield {
            "id": item.id,
            "clip": fact.digest,
            "said": annotation_digest(item),
            "seconds": round(fact.seconds, 3),
            "language": item.language,
            "kind": item.kind,
            "cluster": hidden(item.cluster) if item.cluster else fact.digest,
            "slices": dict(item.slices),
            "reference": hidden(item.reference),
            "texts": {name: hidden(text) for name, text in said.items()},
            "languages": {name: known[name].languages[place] for name in said},
            "length": count_length(reference, metric),
            "errors": errors,
        }


def rescored(run: StoredRun, normalizer: Normalizer) -> StoredRun:
    """Return a run with its errors counted under another normalizer; raises ValueError for one that is redacted."""
    if run.document["redacted"]:
        raise ValueError("a redacted run has no texts to count errors in")
    metric, rows = cast("Metric", run.metric), []
    for row in run.document["utterances"]:
        if row["errors"] is not None:
            audio = AudioSource(label="")
            item = Utterance(id=row["id"], where="", audio=audio, reference=row["reference"], language=row["language"])
            reference = as_compared(normalizer(item.reference, item.language), item, metric)
            errors = {name: score(item, text, normalizer, metric).errors for name, text in row["texts"].items()}
            row = {**row, "length": count_length(reference, metric), "errors": errors}
        rows.append(row)
    settings = {**run.document["settings"], "normalizer": str(normalizer)}
    return replace(run, document={**run.document, "settings": settings, "utterances": rows})


def write(document: Mapping[str, Any], path: Path, option: str) -> None:
    """Write a document atomically; raise `StoreError` naming ``option`` where it cannot be."""
    replace_text(path, chain(_parts(document), "\n"), option)


def _parts(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a document as JSON, an utterance at a time: its rows need not be in memory."""
    encode = json.JSONEncoder(ensure_ascii=False, indent=1, allow_nan=False).encode
    yield "{"
    for number, (name, value) in enumerate(document.items()):
        yield f"{',' if number else ''}\n {encode(name)}: "
        if name == "utterances":
            for place, row in enumerate(value):
                text = encode(row).replace("\n", "\n  ")
                yield f"{',' if place else '['}\n  {text}"
            yield "\n ]" if value else "[]"
        else:
            yield encode(value).replace("\n", "\n ")
    yield "\n}"


def _look_at(run: StoredRun) -> tuple[Any, ...]:
    """Return all of a run that a comparison reads, so that a damaged one is found out before anything is decoded."""
    data = run.document
    of_models = run.judgements, run.utterances, run.models(CANDIDATE)
    of_machine = data["environment"]["cpu"], data["environment"]["versions"]
    return (
        run.normalizer,
        run.metric,
        *of_models,
        *of_machine,
        data["corpus"]["digest"],
        data["verdict"],
        data["redacted"],
    )


def read(path: Path, option: str) -> StoredRun:
    """Read a document; raise `ConfigError` naming ``option`` and the file for whatever is none of this version."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}", where=option, remedy=_ANOTHER) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not a report: {first_line(error)}", where=option, remedy=_ANOTHER) from error
    if not isinstance(data, dict) or "schema" not in data:
        raise ConfigError(f"{path} is not a report of pytest-whisperq", where=option, remedy=_ANOTHER)
    if data["schema"] != SCHEMA:
        raise ConfigError(f"{path} is of version {data['schema']!r}, not {SCHEMA}", where=option, remedy=_SAVE_AGAIN)
    try:
        run = StoredRun(name=path.name, document=_parted(data))
        _look_at(run)
        is_whole = rows_digest(data["utterances"]) == data["corpus"]["digest"]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{path} is damaged ({type(error).__name__}: {error})", where=option, remedy=_SAVE_AGAIN
        ) from error
    if not is_whole:
        raise ConfigError(
            f"{path} is damaged (its utterances are not those of its digest)", where=option, remedy=_SAVE_AGAIN
        )
    if not run.utterances:
        raise ConfigError(
            f"{path} holds no utterance with words, so that nothing can be compared with it", where=option
        )
    return run


def _parted(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document whose compute types do not name the device, as those of older ones do that were on a GPU."""
    suffix = on(str(document["settings"].get("device", CPU)))
    models = {
        name: {**model, "compute_type": model["compute_type"].removesuffix(suffix)}
        for name, model in document["models"].items()
    }
    return {**document, "models": models}


def read_all(paths: Sequence[Path], option: str) -> tuple[StoredRun, ...]:
    """Read several documents, each named by its file; where names clash by its folder too, and then by its number.

    No longer a part of the path: names go into reports.
    """
    files = [path.name for path in paths]
    names = [name if files.count(name) == 1 else _with_folder(path) for path, name in zip(paths, files, strict=True)]
    numbered = [name if names.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(names, 1)]
    return tuple(replace(read(path, option), name=name) for path, name in zip(paths, numbered, strict=True))


def _with_folder(path: Path) -> str:
    folder = Path(shareable(str(path.parent))).name
    return f"{folder}/{path.name}" if folder else path.name
