"""From option values to a `GateConfig`: which candidates exist here, what they are judged against, and how strictly."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_whisperq.config.candidates import Candidate, baseline_of, candidates_of, leaving
from pytest_whisperq.config.choices import Bounds, Metric
from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.config.values import whole
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.corpus.languages import language_code
from pytest_whisperq.speech.corpus.types import Choices
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.cache_layout import default_root
from pytest_whisperq.system.devices import CPU
from pytest_whisperq.system.devices import OPTION as DEVICE_OPTION
from pytest_whisperq.system.errors import ConfigError, MissingDependency, unknown
from pytest_whisperq.system.files import user_path
from pytest_whisperq.system.machine import cpu_quota, gpu


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
    corpus_root: Path | None
    audio_column: str | None
    text_column: str | None
    language_column: str | None
    language: str | None
    long_form: str
    calibration: str | None
    calibration_samples: int | None
    smooth_quant: tuple[float, float]
    max_utterances: int | None
    shard: tuple[int, int] | None
    merge: tuple[Path, ...]
    normalizer: str | None
    substitutions: Path | None
    metric: Metric | None
    terms: Path | None
    max_drop: float
    min_exact_match: float | None
    max_divergence: float
    max_recall_drop: float
    max_false_alarms: float | None
    max_catastrophes: float
    min_language_agreement: float
    max_translation_drop: float
    max_size_ratio: float | None
    max_memory_ratio: float
    max_energy_ratio: float | None
    min_speedup: float | None
    timing_budget: float
    max_shift: float
    max_wer_gap: float
    max_commit_lag: float | None
    limit: str | None
    merge_profile: Path | None
    on_inconclusive: str
    waivers: Path | None
    early_stop: bool
    bounds: Bounds
    confidence: float
    device: str
    engine: str
    threads: int
    decode_batch: int
    seed: int
    cache_dir: Path
    report: Path | None
    report_audio: str
    save: Path | None
    compare: tuple[Path, ...]
    export: Path | None
    redact: bool
    diagnose: bool

    @property
    def gpu(self) -> str:
        """Which GPU the run computes on; "" for none, and where all that would is skipped."""
        is_run = any(not candidate.missing for candidate in self.candidates)
        return gpu() if self.device != CPU and is_run else ""

    @property
    def corpus_choices(self) -> Choices:
        """How a corpus of the user's is read."""
        return Choices(
            audio_column=self.audio_column,
            text_column=self.text_column,
            language_column=self.language_column,
            language=self.language,
            root=self.corpus_root,
        )


def parse_options(cli: Mapping[str, str | None], ini: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the value of every option by its name: command line over ini over default; None where nothing says.

    An empty ini value says nothing, an empty flag is an error: it is mostly a shell variable that is not set, and a
    gate run without a backend would be a green one.

    ``cli`` and ``ini`` map `Option.ini` keys to what was typed. Raises `ConfigError` naming the flag or key.
    """
    if strangers := {*cli, *ini} - {option.ini for option in OPTIONS}:
        raise ConfigError(
            f"unknown option {sorted(strangers)[0]!r}", remedy=f"valid: {', '.join(o.ini for o in OPTIONS)}"
        )
    values: dict[str, Any] = {}
    for option in OPTIONS:
        given = ((cli.get(option.ini), option.flag), (ini.get(option.ini) or None, f"{option.ini} (ini)"))
        typed, source = next(((text, name) for text, name in given if text is not None), (option.default, option.flag))
        try:
            values[option.name] = None if typed is None else option.parse(typed)
        except ValueError as error:
            raise ConfigError(f"must be {error} (got {typed!r})", where=str(source)) from None
    return values


def resolve(
    cli: Mapping[str, str | None], ini: Mapping[str, str | None] | None = None, *, workers: int = 1
) -> GateConfig:
    """Resolve options typed on the command line over ini values over defaults (keys: ``whisperq_max_drop`` …).

    Unless told otherwise, ``workers`` share the processor quota.

    Raises `ConfigError` naming the option, or `MissingDependency` for a backend that was named but is not installed.
    """
    values = parse_options(cli, ini or {})
    candidates, left_out = candidates_of(values)
    is_run = any(not candidate.missing for candidate in candidates)
    baseline, baseline_model = baseline_of(
        values["baseline"], used=bool(candidates), device=values["device"], is_run=is_run
    )
    asked = (values["backend"] or (), values["precision"] or ())
    is_named = baseline.backend in asked[0] and baseline.precision in asked[1]
    if "all" in (*asked[0], *asked[1]) and not is_named and not baseline_model and len(candidates) > 1:
        if baseline in candidates:
            left_out = (*left_out, f"{baseline}: it is the baseline")
        candidates = tuple(candidate for candidate in candidates if candidate != baseline)
    candidates = leaving(candidates, values["ignored-blocks"] or ())
    if (named := values["normalizer"]) is not None and named not in normalizers.names():
        raise unknown("unknown normalizer", named, normalizers.names(), where="--whisperq-normalizer")
    if values["redact"] and values["report-audio"] == "all":
        raise ConfigError(
            "no recording goes into a report with --whisperq-redact",
            where="--whisperq-report-audio",
            remedy="drop either",
        )
    _refuse_with_shards(values)
    _refuse_engine(values["engine"], workers, values["device"])
    as_parsed = {option.field: values[option.name] for option in OPTIONS if option.field in GateConfig.__slots__}
    made = {
        "candidates": candidates,
        "left_out": left_out,
        "baseline": baseline,
        "baseline_model": baseline_model or values["model"],
        "threads": values["threads"] or _default_threads(workers),
        "cache_dir": cache_directory(values["cache-dir"]),
        "compare": tuple(user_path(name, "--whisperq-compare") for name in values["compare"] or ()),
        "language": _language(values["language"]),
        "merge": tuple(user_path(name, "--whisperq-merge") for name in values["merge"] or ()),
        "corpus_root": _folder(values["corpus-root"], "--whisperq-corpus-root"),
        "report_audio": "none" if values["redact"] else values["report-audio"],
        **{
            name: _file(values, name.replace("_", "-"))
            for name in ("substitutions", "terms", "merge_profile", "waivers", "report", "save", "export")
        },
    }
    return GateConfig(**{**as_parsed, **made})


_NOT_IN_A_SHARD = ("merge", "report", "compare", "export", "diagnose")
"""Options that want verdicts, which a shard has none of."""


def _refuse_with_shards(values: Mapping[str, Any]) -> None:
    """Raise `ConfigError` that names every option which means nothing for a shard, or for shards that are merged."""
    asked = [name for name in _NOT_IN_A_SHARD if values[name]] if values["shard"] else []
    extends = values["on-inconclusive"] == "extend"
    if values["shard"] and (asked or extends):
        names = [f"--whisperq-{name}" for name in asked] + ["--whisperq-on-inconclusive=extend"] * extends
        raise ConfigError(
            f"a shard judges nothing, and cannot have {', '.join(names)}",
            where="--whisperq-shard",
            remedy="give them to the run that judges all shards (-o whisperq_report= turns off one of an ini file)",
        )
    if values["shard"] and values["save"] and values["redact"]:
        raise ConfigError(
            "a saved shard is made of transcripts, and --whisperq-redact keeps them out of saved runs",
            where="--whisperq-shard",
            remedy="drop --whisperq-save and share the cache directory, or redact the run that judges",
        )
    if values["merge"] and extends:
        raise ConfigError(
            "shards have decoded what --whisperq-max-utterances says, and no more",
            where="--whisperq-merge",
            remedy="drop --whisperq-on-inconclusive=extend",
        )


def _refuse_engine(engine: str, workers: int, device: str) -> None:
    """Raise `ConfigError` for a cluster with xdist or a GPU, and `MissingDependency` for one without its packages."""
    if engine == "process":
        return
    if device != CPU:
        raise ConfigError(
            f"a cluster decodes on processors, and not on {device}",
            where="--whisperq-engine",
            remedy=f"drop either it or {DEVICE_OPTION}",
        )
    if workers > 1:
        raise ConfigError(
            f"a run decodes on a cluster, or in {workers} xdist workers, not both",
            where="--whisperq-engine",
            remedy="drop -n (or use -n0)",
        )
    needed = ("ray", "grpc") if engine not in ("ray", "ray://auto") else ("ray",)
    if absent := optional_imports.missing(needed):
        raise MissingDependency(
            f"{engine} needs {', '.join(absent)}, not installed",
            where="--whisperq-engine",
            remedy=f"{optional_imports.RUN}{optional_imports.install_line('ray')}",
        )


def paths_of(config: GateConfig) -> tuple[str, ...]:
    """Return what a user named that may be a folder of this machine, and has no place in what others read."""
    names = (config.model, config.baseline_model, config.corpus, config.long_form, config.calibration)
    known = [name for name in names if name]
    whole = (name.rpartition("@")[0] for name in known if "@" in name)  # less the split of a corpus
    named = (config.corpus_root, config.substitutions, config.terms, config.merge_profile, config.waivers)
    files = (config.cache_dir, *named, *config.compare, *config.merge)
    folders = (candidate.location for candidate in config.candidates if candidate.location)
    return (*known, *whole, *folders, *(str(path) for path in files if path))


def _file(values: Mapping[str, Any], name: str) -> Path | None:
    return user_path(values[name], f"--whisperq-{name}") if values[name] else None


def _folder(typed: str | None, option: str) -> Path | None:
    """Return a folder without links in its path; raise `ConfigError` for what is none."""
    if typed is None:
        return None
    path = user_path(typed, option).resolve()
    if not path.is_dir():
        raise ConfigError(f"{typed} is no folder", where=option, remedy="name one that the recordings lie in")
    return path


def _language(typed: str | None) -> str | None:
    """Return the code of a language; raise `ConfigError` for what is none."""
    code = language_code(typed) if typed else None
    if typed and code is None:
        raise ConfigError(
            f"must be a code such as en, or an English name such as German (got {typed!r})", where="--whisperq-language"
        )
    return code


def _default_threads(workers: int) -> int:
    """Share the processor quota among xdist workers: two models spinning on the same cores run ten times slower.

    A process that was started by a worker does not know how many there are but from its environment.
    """
    name, rule = "PYTEST_XDIST_WORKER_COUNT", "a whole number, 1 or more"
    told = os.environ.get(name) or "1"
    try:
        around = whole(1, rule)(told)
    except ValueError:
        raise ConfigError(f"must be {rule} (got {told!r})", where=name, remedy="unset it") from None
    return max(1, cpu_quota() // max(workers, around))


def cache_directory(typed: str | None) -> Path:
    """Return where built models and transcripts are kept: what was typed, or the platform's cache directory."""
    if typed:
        return user_path(typed, "--whisperq-cache-dir").resolve()
    return default_root()
