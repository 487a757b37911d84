"""From option values to a `GateConfig`: which candidates exist here, what they are judged against, and how strictly."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_whisperq._files import user_path
from pytest_whisperq.backends import BUILT_IN, check_installed, get_backend, in_all
from pytest_whisperq.backends import names as backend_names
from pytest_whisperq.environment import cpu_quota
from pytest_whisperq.errors import ConfigError, MissingDependency
from pytest_whisperq.measure.accuracy import Bounds
from pytest_whisperq.measure.error_rate import Metric
from pytest_whisperq.normalize import NORMALIZERS
from pytest_whisperq.options import OPTIONS
from pytest_whisperq.spec import unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A backend and precision by name. ``missing`` says what to install where ``all`` named a backend that is not."""

    backend: str
    precision: str
    missing: str = ""

    @property
    def id(self) -> str:
        """The test id, for example ``openvino-int8``."""
        return f"{self.backend}-{self.precision}"

    def __str__(self) -> str:
        return f"{self.backend}:{self.precision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConfig:
    """Everything one gate run needs to know, resolved and checked; nothing has been read, built or decoded yet."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[str, ...]
    allow_fallback: bool
    model: str
    baseline: Candidate
    baseline_model: str
    corpus: str
    long_form: str
    calibration: str
    calibration_samples: int
    smooth_quant: tuple[float, float]
    max_utterances: int | None
    normalizer: str | None
    metric: Metric | None
    max_drop: float
    min_exact_match: float
    max_divergence: float
    max_catastrophes: float
    min_language_agreement: float
    max_size_ratio: float
    max_memory_ratio: float
    min_speedup: float | None
    timing_budget: float
    max_shift: float
    on_inconclusive: str
    waivers: Path | None
    early_stop: bool
    bounds: Bounds
    confidence: float
    threads: int
    decode_batch: int
    seed: int
    cache_dir: Path


def parse_options(cli: Mapping[str, str | None], ini: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the value of every option by its name: command line over ini over default; None where nothing says.

    An empty ini value says nothing, an empty flag is an error: it is mostly a shell variable that is not set, and a
    gate run without a backend would be a green one.

    ``cli`` and ``ini`` map `Option.ini` keys to what was typed. Raises `ConfigError` naming the flag or key.
    """
    if strangers := {*cli, *ini} - {option.ini for option in OPTIONS}:
        raise ConfigError(f"unknown option {sorted(strangers)[0]!r}; valid: {', '.join(o.ini for o in OPTIONS)}")
    values: dict[str, Any] = {}
    for option in OPTIONS:
        given = ((cli.get(option.ini), option.flag), (ini.get(option.ini) or None, f"{option.ini} (ini)"))
        typed, source = next(((text, name) for text, name in given if text is not None), (option.default, option.flag))
        try:
            values[option.name] = None if typed is None else option.parse(typed)
        except ValueError as error:
            raise ConfigError(f"{source}: must be {error} (got {typed!r})") from None
    return values


def resolve(cli: Mapping[str, str | None], ini: Mapping[str, str | None] | None = None) -> GateConfig:
    """Resolve options typed on the command line over ini values over defaults (keys: ``whisperq_max_drop`` …).

    Raises `ConfigError` naming the option, or `MissingDependency` for a backend that was named but is not installed.
    """
    values = parse_options(cli, ini or {})
    candidates, left_out = _candidates(values)
    baseline, baseline_model = _baseline(values["baseline"], used=bool(candidates))
    asked = (values["backend"] or (), values["precision"] or ())
    is_named = baseline.backend in asked[0] and baseline.precision in asked[1]
    if "all" in (*asked[0], *asked[1]) and not is_named and not baseline_model and len(candidates) > 1:
        if baseline in candidates:
            left_out = (*left_out, f"{baseline}: it is the baseline")
        candidates = tuple(candidate for candidate in candidates if candidate != baseline)
    if values["normalizer"] is not None and values["normalizer"] not in NORMALIZERS:
        raise unknown("--whisperq-normalizer: unknown normalizer", values["normalizer"], NORMALIZERS)
    return GateConfig(
        candidates=candidates,
        left_out=left_out,
        allow_fallback=values["allow-fallback"],
        model=values["model"],
        baseline=baseline,
        baseline_model=baseline_model or values["model"],
        corpus=values["corpus"],
        long_form=values["long-form"],
        calibration=values["calibration"],
        calibration_samples=values["calibration-samples"],
        smooth_quant=values["smooth-quant"],
        max_utterances=values["max-utterances"],
        normalizer=values["normalizer"],
        metric=values["metric"],
        max_drop=values["max-drop"],
        min_exact_match=values["min-exact-match"],
        max_divergence=values["max-divergence"],
        max_catastrophes=values["max-catastrophes"],
        min_language_agreement=values["min-language-agreement"],
        max_size_ratio=values["max-size-ratio"],
        max_memory_ratio=values["max-memory-ratio"],
        min_speedup=values["min-speedup"],
        timing_budget=values["timing-budget"],
        max_shift=values["max-shift"],
        on_inconclusive=values["on-inconclusive"],
        waivers=user_path(values["waivers"], "--whisperq-waivers") if values["waivers"] else None,
        early_stop=values["early-stop"],
        bounds=values["bounds"],
        confidence=values["confidence"],
        threads=values["threads"] or _default_threads(),
        decode_batch=values["decode-batch"],
        seed=values["seed"],
        cache_dir=cache_directory(values["cache-dir"]),
    )


def _candidates(values: Mapping[str, Any]) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    if values["candidate"]:
        if values["backend"] or values["precision"]:
            raise ConfigError(
                "--whisperq-candidate: replaces --whisperq-backend and --whisperq-precision; drop either it or those"
            )
        return tuple(explicit_candidate(pair, "--whisperq-candidate") for pair in values["candidate"]), ()
    if not values["backend"]:
        if values["precision"]:
            raise ConfigError("--whisperq-precision: names no backend; add --whisperq-backend")
        return (), ()
    return _cross_product(values["backend"], values["precision"], allow_fallback=values["allow-fallback"])


def explicit_candidate(pair: str, option: str, *, installed: bool = True) -> Candidate:
    """Read ``BACKEND:PRECISION``; the pair must exist and, unless told otherwise, be installed."""
    name, _, precision = (part.strip() for part in pair.partition(":"))
    backend = get_backend(name, option)
    if not precision:
        raise ConfigError(f"{option}: {pair!r} names no precision; write {name}:{backend.recommended}")
    if precision not in backend.precisions:
        raise unknown(f"{option}: unknown precision for {name}", precision, backend.precisions)
    if installed:
        check_installed(backend)
    return Candidate(backend=name, precision=precision)


def _cross_product(
    names: tuple[str, ...], precisions: tuple[str, ...] | None, *, allow_fallback: bool
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Pair backends and precisions; list pairs that do not exist with the reason; a precision nobody has raises.

    ``all`` precisions are those that this machine executes; one that was named is tried, and is an error then.
    """
    for name in names:
        if name not in (*backend_names(), "all"):
            raise unknown("--whisperq-backend: unknown backend", name, (*backend_names(), "all"))
    named = tuple(name for name in names if name != "all")
    others = tuple(name for name in in_all() if name not in named) if "all" in names else ()
    backends = [get_backend(name) for name in (*named, *others)]
    known = (*backends, *map(get_backend, BUILT_IN))
    everything = {precision for backend in known for precision in backend.precisions}
    for precision in precisions or ():
        if precision != "all" and precision not in everything:
            raise unknown("--whisperq-precision: unknown precision", precision, {*everything, "all"})
    candidates: list[Candidate] = []
    left_out: list[str] = []
    for backend in backends:
        missing = ""
        try:
            check_installed(backend)
        except MissingDependency as error:
            if backend.name in named:
                raise
            missing = str(error)
        wanted = precisions or (backend.recommended,)
        unfit: Mapping[str, str] = {}
        if "all" in wanted:
            unfit = {} if missing or allow_fallback else backend.falls_back()
            wanted = tuple(dict.fromkeys((*(name for name in wanted if name != "all"), *backend.precisions)))
        for precision in wanted:
            if precision in unfit and precision not in (precisions or ()):
                left_out.append(f"{backend.name}:{precision}: {unfit[precision]}")
            elif precision in backend.precisions:
                candidates.append(Candidate(backend=backend.name, precision=precision, missing=missing))
            else:
                has = ", ".join(backend.precisions)
                left_out.append(f"{backend.name}:{precision}: {backend.name} does not have it (it has {has})")
    if not candidates:
        raise ConfigError(
            f"--whisperq-precision: none of the backends {', '.join(b.name for b in backends)} has "
            f"{', '.join(precisions or ())}. " + "; ".join(left_out)
        )
    return tuple(candidates), tuple(left_out)


def _baseline(text: str, *, used: bool) -> tuple[Candidate, str]:
    """Read the baseline; a run that gates nothing need not have it installed."""
    pair, _, model = text.partition("@")
    pair = pair if ":" in pair else f"{pair}:float32"
    return explicit_candidate(pair, "--whisperq-baseline", installed=used), model


def _default_threads() -> int:
    """Share the processor quota among xdist workers: two models spinning on the same cores run ten times slower."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1") or "1")
    return max(1, cpu_quota() // workers)


def cache_directory(typed: str | None) -> Path:
    """Return where built models and transcripts are kept: what was typed, or the platform's cache directory."""
    if typed:
        return user_path(typed, "--whisperq-cache-dir").resolve()
    from platformdirs import user_cache_path

    return user_cache_path("pytest-whisperq", appauthor=False)
