"""What the plugin keeps for the length of a run, in pytest's stash: configuration, waivers, and what runs the gates."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq.backends import register
from pytest_whisperq.config import values as _typed
from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.config.settings import GateConfig, paths_of, resolve
from pytest_whisperq.config.values import Option
from pytest_whisperq.gates import registry
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.judging.waivers import Waiver, read_waivers
from pytest_whisperq.plugin.errors import usage_errors
from pytest_whisperq.plugin.reporting import progress_for
from pytest_whisperq.session import Session
from pytest_whisperq.speech import normalizers
from pytest_whisperq.system.printing import printable
from pytest_whisperq.system.redaction import scrubber, shareable

_CONFIG = pytest.StashKey[GateConfig]()
_RUNNER = pytest.StashKey[GateRunner]()
_WAIVERS = pytest.StashKey[tuple[Waiver, ...]]()


def typed_options(config: pytest.Config) -> dict[str, str | None]:
    """Return what was typed on the command line, by ini key."""
    return {option.ini: config.getoption(option.ini) for option in OPTIONS}


def gate_config(config: pytest.Config) -> GateConfig:
    """Resolve the options once; unusable ones are a usage error (exit code 4)."""
    if _CONFIG not in config.stash:
        with usage_errors():
            config.add_cleanup(register(config.hook.pytest_whisperq_backends()))  # pytest may run within pytest
            config.add_cleanup(normalizers.register(config.hook.pytest_whisperq_normalizers()))
            config.stash[_CONFIG] = resolve(typed_options(config), _ini_values(config), workers=workers_of(config))
    return config.stash[_CONFIG]


def workers_of(config: pytest.Config) -> int:
    """Return how many xdist workers a run has, seen from one of them or from the controller; 1 without xdist."""
    if hasattr(config, "workerinput"):
        return int(config.workerinput["workercount"])
    if config.getoption("dist", "no") == "no":
        return 1
    counts = (spec.partition("*")[0] for spec in config.getoption("tx", []))  # popen, or 3*popen
    return max(1, sum(int(count) if count.isdigit() else 1 for count in counts))


def _ini_values(config: pytest.Config) -> dict[str, str | None]:
    """Return the ini values as text; a path in them is relative to the file it stands in, as in every ini file."""
    values: dict[str, str | None] = {}
    for option in OPTIONS:
        value = config.getini(option.ini)  # TOML knows lists
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        if text and option.is_path and config.inipath:
            paths = text.split(",") if option.parse is _typed.names else [text]
            text = ",".join(_beside(config.inipath, path.strip(), option) for path in paths)
        values[option.ini] = text
    return values


def _beside(inipath: Path, text: str, option: Option) -> str:
    """Return a path relative to the ini file, unless it is none: an embedded model or a hub id is not there."""
    folder = inipath.parent
    if text.startswith("~"):  # a home, wherever the file is
        return text
    if option.is_path_after_at:
        head, _, tail = text.partition("@")
        return f"{head}@{folder / tail}" if tail and (folder / tail).exists() else text
    if option.creates or (folder / text).exists():
        return str(folder / text)
    head, _, split = text.rpartition("@")
    is_part = option.has_splits and head and (folder / head).exists()
    return f"{folder / head}@{split}" if is_part else text


def waivers(config: pytest.Config) -> tuple[Waiver, ...]:
    """Read the waivers once; a file that is not one is a usage error. ``--runxfail`` asks for a run without any."""
    if _WAIVERS not in config.stash:
        path = gate_config(config).waivers
        with usage_errors():
            entries = read_waivers(path, set(registry.names())) if path else ()
        config.stash[_WAIVERS] = () if config.getoption("runxfail", False) else entries
    return config.stash[_WAIVERS]


def runner(config: pytest.Config) -> GateRunner:
    """Return what runs the gates."""
    if _RUNNER not in config.stash:
        config.stash[_RUNNER] = GateRunner(gate_config(config), progress_for(config))
    return config.stash[_RUNNER]


def session(config: pytest.Config) -> Session:
    """Return the session that every gate and fixture shares."""
    return runner(config).session


def scrub(config: pytest.Config) -> Callable[[Any], Any]:
    """Return the function that takes tokens and the folders of this machine out of what others may read."""
    resolved = gate_config(config)
    return scrubber(paths_of(resolved))


def leaves_something(config: pytest.Config) -> bool:
    """Whether the run is to leave a report, a stored run or exported models behind, or to be compared with one."""
    resolved = gate_config(config)
    return any((resolved.report, resolved.save, resolved.export, resolved.compare))


def header(config: pytest.Config) -> list[str]:
    """Return the lines at the top of a run that gates something."""
    resolved = gate_config(config)
    if not resolved.candidates:
        return []
    baseline = str(resolved.baseline)
    if resolved.baseline_model != resolved.model:
        baseline += f"@{resolved.baseline_model}"
    told = f", in {resolved.language} where it states no language" if resolved.language else ""
    first = (
        f"whisperq: {', '.join(map(str, resolved.candidates))} of {resolved.model} against {baseline}; "
        f"corpus {resolved.corpus}{told}; bounds at {resolved.confidence:g}, seed {resolved.seed}, "
        f"{resolved.threads} threads"
    )
    with usage_errors():
        first += f" on {resolved.gpu}" if resolved.gpu else ""
    lines = [first] + [f"whisperq: left out {reason}" for reason in resolved.left_out]
    if resolved.baseline in resolved.candidates and resolved.baseline_model == resolved.model:
        lines.append(f"whisperq: {resolved.baseline} is compared with itself, and cannot lose: see --whisperq-baseline")
    if resolved.engine != "process":
        from pytest_whisperq.decoding.ray_engine import place

        lines.append(
            f"whisperq: the corpus is decoded on {place(resolved.engine)}; all else, speed, memory, energy and "
            "determinism too, is measured on this machine"
        )
    if known := waivers(config):
        lines.append(f"whisperq: waivers {resolved.waivers}: {', '.join(waiver.id for waiver in known)}")
    return [printable(shareable(line, config.invocation_params.dir)) for line in lines]
