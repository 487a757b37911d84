"""Candidates that passed, copied out of the cache with what their gates found; and the check before deployment."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_whisperq.backends import get_backend
from pytest_whisperq.history.document import REPORTED
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.models.store import Artifact, digests_of
from pytest_whisperq.reporting.build_document import Collector
from pytest_whisperq.system import machine
from pytest_whisperq.system.errors import ConfigError, StoreError, WhisperqError
from pytest_whisperq.system.files import first_line, output_error, publish_folder, replace_text, sha256, to_disk

CERTIFICATE = "whisperq-gate.json"
SCHEMA = 1
_OPTION = "--whisperq-export"
_DIGEST = "sha256"
"""The key under which a certificate has its own digest."""
_AGAIN = "run again: it is built anew"


def export(collector: Collector, document: Mapping[str, Any], directory: Path) -> tuple[list[str], list[str]]:
    """Copy every candidate that passed into ``directory``.

    Returns a line for each, with the reason where its gates refuse it; and those that should have been copied and
    could not be, which the run may not pass over. What was exported before then still stands.
    """
    lines: list[str] = []
    failures: list[str] = []
    for candidate in collector.session.config.candidates:
        name = str(candidate)
        is_simulated = candidate.precision in get_backend(candidate.backend).simulated
        simulated = "it is simulated, and no runtime computes with it" if is_simulated else ""
        if reason := candidate.missing or simulated or refusal(document, name):
            lines.append(f"not exported: {name}: {reason}")
            continue
        target = directory / candidate.id
        try:
            _export(collector, document, name, target)
        except WhisperqError as error:
            failures.append(str(error))
        else:
            lines.append(f"exported {target}; before deployment: whisperq verify {target}")
    return lines, failures


def _export(collector: Collector, document: Mapping[str, Any], name: str, target: Path) -> None:
    """Copy one candidate; raise `ConfigError` for what stands in the way, `StoreError` for what cannot be copied."""
    store, judged = collector.session.store, document["models"][name]
    artifact = store.built(collector.specs[name])
    if artifact and artifact.is_elsewhere:
        artifact = store.get(collector.specs[name])
    if artifact is None or artifact.identity != judged["identity"]:
        raise StoreError(f"{name} is no longer in the cache as it was gated", where=_OPTION, remedy=_AGAIN)
    if not _is_free(target):
        raise ConfigError(
            f"{target} is no exported model", where=_OPTION, remedy="move it away, or name another folder"
        )
    if store.discard_damaged(artifact):
        raise StoreError(f"files of {name} in the cache were damaged, and are removed", where=_OPTION, remedy=_AGAIN)
    try:
        _copy(artifact, target, _certificate(document, name))
    except OSError as error:
        raise output_error(target, _OPTION, error) from error


def _is_free(target: Path) -> bool:
    """Whether an export may take this place: nothing is there, or an earlier export."""
    if target.is_dir():
        return (target / CERTIFICATE).is_file() or not any(target.iterdir())
    return not target.exists()


def refusal(document: Mapping[str, Any], name: str) -> str:
    """Return why a candidate may not be exported; "" if it passed everything it was asked, accuracy among it."""
    gates = [gate for gate in document["gates"] if gate["judgement"]["candidate"] == name]
    demanded = [gate for gate in gates if gate["verdict"] != REPORTED]
    for gate in demanded:
        if gate["verdict"] != Verdict.PASS.value:
            return f"its {gate['judgement']['gate']} gate ended {gate['verdict']}"
    for gate in demanded:
        if gate["outcome"] != "passed":
            return f"{gate['test']} {gate['outcome']}"
    broken = [one for one in document["broken"] if one["candidate"] == name]
    if broken:
        return f"{broken[0]['test']} {broken[0]['outcome']} without a verdict"
    if not any(gate["judgement"]["gate"] == "accuracy" for gate in demanded):
        return "no accuracy gate judged it"
    if document["models"][name]["fell_back"]:  # where the processor has the type, another model would run
        return f"it ran as {document['models'][name]['compute_type']}, which is not what it is"
    return ""


def _certificate(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    model = document["models"][name]
    gates = [gate["judgement"] for gate in document["gates"] if gate["judgement"]["candidate"] == name]
    return {
        "schema": SCHEMA,
        "created": document["created"],
        "candidate": name,
        "model": {key: value for key, value in model.items() if key != "role"},
        "corpus": document["corpus"],
        "settings": document["settings"],
        "environment": document["environment"],
        "gates": [{key: value for key, value in gate.items() if key != "series"} for gate in gates],
    }


def _copy(artifact: Artifact, target: Path, certificate: Mapping[str, Any]) -> None:
    """Publish what a build wrote, and nothing that lies beside it: copied, digested as it lies there, then renamed."""
    published = digests_of(artifact)
    with publish_folder(target) as aside:
        for name, digest in published.items():
            copy = aside / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(artifact.directory / name, copy)
            to_disk(copy)
            if sha256(copy) != digest:
                raise StoreError(f"the copy of {name} is not what was gated", where=_OPTION, remedy=_AGAIN)
        whole = with_digest({**certificate, "files": published})
        replace_text(aside / CERTIFICATE, json.dumps(whole, ensure_ascii=False, indent=1) + "\n", _OPTION)


def verify(directory: Path) -> tuple[str, list[str], list[str]]:
    """Check an exported model; return its name, what is wrong with it, and what differs from where it was gated.

    Raises `ConfigError` for a folder that holds no exported model.
    """
    path = directory / CERTIFICATE
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ConfigError("is no regular file", where=str(path), remedy="export the model again")
        certificate = json.loads(path.read_text(encoding="utf-8"))
        if certificate["schema"] != SCHEMA:
            raise ConfigError(
                f"is of version {certificate['schema']!r}, not {SCHEMA}",
                where=str(path),
                remedy="export the model again",
            )
        if certificate != with_digest(certificate):
            raise ValueError(f"its {_DIGEST} is not that of what it says")
        name, files = str(certificate["candidate"]), dict(certificate["files"].items())
        verdicts = [check["verdict"] for gate in certificate["gates"] for check in gate["checks"]]
        if any(PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts for file in files):
            raise ValueError("it names files outside of its folder")
        known, environment = dict(certificate["model"]["versions"].items()), certificate["environment"]
        cpu, gpu = environment["cpu"], environment.get("gpu", "")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(
            f"is no exported model, it has no {CERTIFICATE}",
            where=str(directory),
            remedy=f"name a folder of {_OPTION}",
        ) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"is damaged ({first_line(error)})", where=str(path), remedy="export the model again"
        ) from error
    wrong = list(_changed_files(directory, files))
    if not verdicts or any(verdict != Verdict.PASS.value for verdict in verdicts):
        wrong.append("its gates did not all pass")
    here = machine.versions(tuple(known))
    differs = [f"{name} {old}, here {here[name]}" for name, old in known.items() if here[name] != old]
    if cpu != machine.cpu_features():
        differs.append(f"processor {cpu}, here {machine.cpu_features()}")
    if gpu:
        differs += _other_gpu(gpu)
    return name, wrong, differs


def _other_gpu(gated_on: str) -> list[str]:
    try:
        here = machine.gpu()
    except WhisperqError:
        here = "none"
    return [f"GPU {gated_on}, here {here}"] if here != gated_on else []


def with_digest(certificate: Mapping[str, Any]) -> dict[str, Any]:
    """Return a certificate with the digest of all else in it: it shows damage, and does not prove who wrote it."""
    rest = {key: value for key, value in certificate.items() if key != _DIGEST}
    return {**rest, _DIGEST: hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()}


def _changed_files(directory: Path, files: Mapping[str, str]) -> Iterator[str]:
    """Name what is not as it was gated: nothing but these files, and the folders they are in, may be there.

    Only such a folder is looked into: links, pipes and whatever else lies there are named and left alone.
    """
    folders = {parent.as_posix() for name in files for parent in PurePosixPath(name).parents}
    missing, real = set(files), {"."}
    for folder in (".", *sorted(folders - {"."})):
        if folder not in real:
            continue
        try:
            with os.scandir(directory / folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield f"{folder} cannot be read: {error.strerror or error}"
            continue
        for entry in found:
            name = (PurePosixPath(folder) / entry.name).as_posix()
            missing.discard(name)
            if name in files and entry.is_file(follow_symlinks=False):
                yield from _changed(directory, name, files[name])
            elif name in folders and entry.is_dir(follow_symlinks=False):
                real.add(name)
            elif name in files or name in folders:
                yield f"{name} is a link, or no regular file"
            elif name != CERTIFICATE:
                yield f"{name} was not there when it was gated"
    yield from (f"{name} is missing" for name in sorted(missing))


def _changed(directory: Path, name: str, digest: str) -> Iterator[str]:
    try:
        if sha256(directory / name) != digest:
            yield f"{name} has changed"
    except OSError as error:
        yield f"{name} cannot be read: {error.strerror or error}"


def exported(directory: Path) -> list[Path]:
    """Return the exported models in a folder: itself, or all folders in it, where any of them is one.

    Names with a leading dot are what an export that was killed left behind. Raises `ConfigError` for a folder that may
    not be read.
    """
    try:
        inside = sorted(path for path in directory.glob("[!.]*") if path.is_dir())
        if (directory / CERTIFICATE).is_file() or not any((path / CERTIFICATE).is_file() for path in inside):
            return [directory]
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", where=str(directory)) from error
    return inside
