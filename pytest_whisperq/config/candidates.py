"""Which pairs of backend and precision a run gates, and what they are judged against."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_whisperq.backends import (
    BUILT_IN,
    Backend,
    MixesBlocks,
    check_installed,
    devices,
    get_backend,
    in_all,
    refusal,
)
from pytest_whisperq.backends import names as backend_names
from pytest_whisperq.models.ready_made import find, name_of
from pytest_whisperq.models.source import folder_of_checkpoint, without
from pytest_whisperq.system.devices import CPU, on
from pytest_whisperq.system.devices import OPTION as DEVICE_OPTION
from pytest_whisperq.system.errors import ConfigError, MissingDependency, unknown
from pytest_whisperq.system.files import user_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A backend and precision by name.

    ``missing`` says what this machine lacks for one that ``all`` stands for: a package, or the ``device``.
    ``location`` is the folder or hub id of a ready-made model, "" for one that is built. ``is_asked`` says that its
    precision was asked for, and not read from the files. ``ignored`` are blocks that are left in float32.
    """

    backend: str
    precision: str
    missing: str = ""
    location: str = ""
    is_asked: bool = field(default=True, compare=False)
    ignored: tuple[str, ...] = ()
    device: str = CPU

    @property
    def id(self) -> str:
        """The test id, for example ``openvino-int8``, or ``openvino-int8-calls-v3`` of the folder ``calls-v3``."""
        name = name_of(self.location) if self.location else ""
        rest = without(self.ignored).strip().replace(" ", "-")
        device = "" if self.device == CPU else self.device
        return "-".join(filter(None, (self.backend, self.precision, name, rest, device)))

    def __str__(self) -> str:
        name = f"@{name_of(self.location)}" if self.location else ""
        return f"{self.backend}:{self.precision}{name}{without(self.ignored)}{on(self.device)}"


def candidates_of(values: Mapping[str, Any]) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Return what the options ask for, and the pairs left out, each with the reason.

    Raises `ConfigError` for options that contradict each other, `MissingDependency` for a backend that is not there.
    """
    if values["candidate"]:
        if values["backend"] or values["precision"]:
            raise ConfigError(
                "replaces --whisperq-backend and --whisperq-precision",
                where="--whisperq-candidate",
                remedy="drop either it or those",
            )
        named = _named(values["candidate"], "--whisperq-candidate")
        return tuple(placed(one, values["device"], "--whisperq-candidate") for one in named), ()
    if not values["backend"]:
        if values["precision"]:
            raise ConfigError("names no backend", where="--whisperq-precision", remedy="add --whisperq-backend")
        return (), ()
    return _cross_product(
        values["backend"],
        values["precision"],
        values["model"],
        allow_fallback=values["allow-fallback"],
        device=values["device"],
    )


def placed(candidate: Candidate, device: str, option: str) -> Candidate:
    """Return a candidate that is named by ``option``, on a device.

    Raises `ConfigError` where its backend, its precision or this machine has no way to compute there.
    """
    if device == CPU:
        return candidate
    backend = get_backend(candidate.backend)
    _refuse_elsewhere(backend, device)
    known = devices.precisions(backend, device)
    if candidate.precision not in known:
        raise unknown(f"no precision of {candidate.backend} on {device}", candidate.precision, known, where=option)
    _refuse_lacking(backend, device, option)
    return replace(candidate, device=device)


def _refuse_elsewhere(backend: Backend, device: str) -> None:
    if not devices.precisions(backend, device):
        raise ConfigError(
            f"{backend.name} does not compute on {device}",
            where=DEVICE_OPTION,
            remedy=f"gate it in a run of its own; those that do: {', '.join(devices.able(device))}",
        )


def _refuse_lacking(backend: Backend, device: str, option: str) -> None:
    if reason := devices.lacking(backend, device):
        raise ConfigError(
            f"{device} cannot be used for {backend.name}, which {option} names: {reason}",
            where=DEVICE_OPTION,
            remedy="run it where there is such a GPU, or drop the option to gate on the CPU",
        )


def _named(texts: tuple[str, ...], option: str) -> tuple[Candidate, ...]:
    """Read ``BACKEND:PRECISION`` and ``BACKEND[:PRECISION]@LOCATION``; no two may have one name."""
    read = (_ready_made(one, option) if "@" in one else explicit_candidate(one, option) for one in texts)
    named = tuple(dict.fromkeys(read))
    for number, candidate in enumerate(named):
        if str(candidate) in map(str, named[:number]):
            raise ConfigError(
                f"two candidates would be called {candidate}",
                where=option,
                remedy="rename one of the folders, or name a link to it",
            )
    return named


def _ready_made(text: str, option: str) -> Candidate:
    """Read ``BACKEND[:PRECISION]@LOCATION``; without a precision it is the one that the model there is stored in."""
    pair, _, location = (part.strip() for part in text.partition("@"))
    name, _, precision = (part.strip() for part in pair.partition(":"))
    backend = get_backend(name, option)
    if not location:
        raise ConfigError(f"{text!r} names no folder after the @", where=option, remedy=f"write {name}@FOLDER")
    check_installed(backend)
    found = find(backend, location, option)
    if precision and precision not in found.precisions:
        what = f"{location} is stored in {found.stored}, and {name} cannot load it as"
        raise unknown(what, precision, found.precisions, where=option)
    here = user_path(location, option)
    return Candidate(
        backend=name,
        precision=precision or found.stored,
        location=os.path.abspath(here) if here.exists() else location,  # a test may change to another folder
        is_asked=bool(precision),
    )


def explicit_candidate(pair: str, option: str, *, installed: bool = True) -> Candidate:
    """Read ``BACKEND:PRECISION``; the pair must exist and, unless told otherwise, be installed.

    Raises `ConfigError` naming ``option``, `MissingDependency` for a backend that is not there.
    """
    name, _, precision = (part.strip() for part in pair.partition(":"))
    backend = get_backend(name, option)
    if not precision:
        raise ConfigError(f"{pair!r} names no precision", where=option, remedy=f"write {name}:{backend.recommended}")
    if precision not in backend.precisions:
        raise unknown(f"unknown precision for {name}", precision, backend.precisions, where=option)
    if installed:
        check_installed(backend, precision)
    return Candidate(backend=name, precision=precision)


def _cross_product(
    names: tuple[str, ...], precisions: tuple[str, ...] | None, model: str, *, allow_fallback: bool, device: str
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Pair backends and precisions; list pairs that do not exist with the reason; a precision nobody has raises.

    ``all`` backends are those that can be built of ``model``. ``all`` precisions are those that this machine executes,
    less those that a backend has by name only; one that was named is tried, and is an error then. So is a pair that was
    named and whose device this machine lacks; one that ``all`` stands for is a skip.
    """
    for name in names:
        if name not in (*backend_names(), "all"):
            raise unknown("unknown backend", name, (*backend_names(), "all"), where="--whisperq-backend")
    named = tuple(name for name in names if name != "all")
    others = tuple(name for name in in_all() if name not in named) if "all" in names else ()
    backends = [get_backend(name) for name in (*named, *others)]
    known = (*backends, *map(get_backend, BUILT_IN))
    everything = {precision for backend in known for precision in backend.precisions}
    for precision in precisions or ():
        if precision != "all" and precision not in everything:
            raise unknown("unknown precision", precision, {*everything, "all"}, where="--whisperq-precision")
    candidates: list[Candidate] = []
    left_out: list[str] = []
    checkpoint = folder_of_checkpoint(model)
    for backend in backends:
        if checkpoint and backend.name not in named and (reason := refusal(backend, checkpoint)):
            left_out.append(f"{backend.name}: {reason}")
            continue
        if backend.name in named:
            _refuse_elsewhere(backend, device)
        known_there = devices.precisions(backend, device)
        if not known_there:
            left_out.append(f"{backend.name}: it does not compute on {device}")
            continue
        missing = _lacking(backend, "", is_named=backend.name in named)
        missing = missing or _without_device(
            backend, device, is_named=backend.name in named and "all" not in (precisions or ())
        )
        wanted = precisions or (devices.recommended(backend, device),)
        unfit: Mapping[str, str] = {}
        if "all" in wanted:
            unfit = {} if missing or allow_fallback else devices.falls_back(backend, device)
            meant = [name for name in known_there if name not in backend.by_name]
            wanted = tuple(dict.fromkeys((*(name for name in wanted if name != "all"), *meant)))
            if by_name := backend.by_name.intersection(known_there).difference(wanted):
                left_out.append(f"{backend.name}: {len(by_name)} precisions that are gated by name only")
        for precision in wanted:
            if precision in unfit and precision not in (precisions or ()):
                left_out.append(f"{backend.name}:{precision}: {unfit[precision]}")
            elif precision in known_there:
                lacking = missing or _lacking(backend, precision, is_named=backend.name in named)
                candidates.append(Candidate(backend=backend.name, precision=precision, missing=lacking, device=device))
            else:
                has = ", ".join(known_there)
                left_out.append(
                    f"{backend.name}:{precision}: {backend.name} does not have it{on(device)} (it has {has})"
                )
    if not candidates:
        raise ConfigError(
            f"none of the backends {', '.join(b.name for b in backends)} has {', '.join(precisions or ())}. "
            + "; ".join(left_out),
            where="--whisperq-precision",
        )
    return tuple(candidates), tuple(left_out)


def _lacking(backend: Backend, precision: str, *, is_named: bool) -> str:
    """Return what to install for a precision, or for any ("") of a backend; an error where that ``is_named``."""
    try:
        check_installed(backend, precision)
    except MissingDependency as error:
        if is_named:
            raise
        return str(error)
    return ""


def _without_device(backend: Backend, device: str, *, is_named: bool) -> str:
    """Return why a device cannot be used for a backend, "" where it can; an error where a pair ``is_named``."""
    if is_named:
        _refuse_lacking(backend, device, "--whisperq-backend")
        return ""
    reason = devices.lacking(backend, device)
    return f"{DEVICE_OPTION} {device}: {reason}" if reason else ""


def leaving(candidates: tuple[Candidate, ...], ignored: tuple[str, ...]) -> tuple[Candidate, ...]:
    """Return the candidates with the blocks ``ignored`` in float32; raise `ConfigError` for one that has no blocks."""
    for one in candidates if ignored else ():
        if not is_by_block(one):
            able = [f"{name}:{precision}" for name in backend_names() for precision in sorted(_by_block(name))]
            raise ConfigError(
                f"no block of {one} can be left in float32",
                where="--whisperq-ignored-blocks",
                remedy=f"gate it in a run of its own; those that can: {', '.join(able)}",
            )
    return tuple(replace(one, ignored=ignored) for one in candidates)


def is_by_block(candidate: Candidate) -> bool:
    """Whether blocks of a candidate can be left in float32: it is built, and by block."""
    return not candidate.location and candidate.precision in _by_block(candidate.backend)


def is_calibrated(candidate: Candidate) -> bool:
    """Whether a candidate is built with a calibration set."""
    return candidate.precision in get_backend(candidate.backend).calibrated


def _by_block(name: str) -> frozenset[str]:
    backend = get_backend(name)
    return backend.by_block if isinstance(backend, MixesBlocks) else frozenset()


def baseline_of(text: str, *, used: bool, device: str = CPU, is_run: bool = True) -> tuple[Candidate, str]:
    """Read the baseline; a run that gates nothing need not have it installed.

    One whose candidates are all skipped (not ``is_run``) need not have the baseline's device.
    """
    pair, _, model = text.partition("@")
    pair = pair if ":" in pair else f"{pair}:float32"
    baseline = explicit_candidate(pair, "--whisperq-baseline", installed=used)
    if used and is_run:
        return placed(baseline, device, "--whisperq-baseline"), model
    return replace(baseline, device=device), model
