"""Which backends there are: the built-in ones, those of installed packages, and those a conftest registers."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module, metadata
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_whisperq import _lazy
from pytest_whisperq.errors import ConfigError, MissingDependency
from pytest_whisperq.spec import ModelSpec, unknown

if TYPE_CHECKING:
    from pytest_whisperq.backends import Backend

GROUP = "pytest_whisperq.backends"
"""Entry point group of packages that bring a backend: name → ``module:Class``."""

_HERE = "pytest_whisperq.backends"
_BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "ctranslate2": f"{_HERE}.ctranslate2:CTranslate2Backend",
        "faster-whisper": f"{_HERE}.faster_whisper:FasterWhisperBackend",
        "openvino": f"{_HERE}.openvino:OpenVINOBackend",
        "openvino-stateless": f"{_HERE}.openvino:StatelessOpenVINOBackend",
        "scripted": f"{_HERE}.scripted:ScriptedBackend",
        "transformers": f"{_HERE}.transformers:TransformersBackend",
    }
)

_REQUIRED = (
    *("name", "precisions", "recommended", "weights", "extra", "modules", "distributions", "calibrated", "in_all"),
    *("falls_back", "base", "build", "load"),
)
_registered: dict[str, Callable[[], "Backend"]] = {}  # of this process: a hook has no other way to every caller


def register(backends: Mapping[str, Callable[[], "Backend"]]) -> None:
    """Make ``backends`` (name → class or factory) known, instead of those registered before.

    Raises `ConfigError` for a name that is taken.
    """
    for name in backends:
        if name in (*_BUILT_IN, *_installed(), "all"):
            raise ConfigError(f"pytest_whisperq_backends: the name {name!r} is taken; give the backend another")
    _registered.clear()
    _registered.update(backends)


def names() -> tuple[str, ...]:
    """Return every backend there is."""
    return (*_BUILT_IN, *_installed(), *_registered)


def in_all() -> tuple[str, ...]:
    """Return the backends that ``all`` stands for."""
    return tuple(name for name in names() if get_backend(name).in_all)


def get_backend(name: str, option: str = "backend") -> "Backend":
    """Return a backend by name; raise `ConfigError` naming ``option`` that lists the valid ones."""
    if name in _registered:
        return _checked(name, _registered[name])
    location = {**_installed(), **_BUILT_IN}.get(name)
    if location is None:
        raise unknown(f"{option}: unknown backend", name, names())
    return located(name, location)


def located(name: str, location: str) -> "Backend":
    """Return the backend at ``module:Class``; raise `ConfigError` when it is not one."""
    module, _, attribute = location.partition(":")
    try:
        factory = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"backend {name!r} at {location} cannot be imported: {error}") from error
    return _checked(name, factory)


def location_of(backend: "Backend") -> str:
    """Return ``module:Class`` of a backend, by which another process finds it."""
    return f"{type(backend).__module__}:{type(backend).__qualname__}"


def promised(spec: ModelSpec) -> str:
    """Return the compute type that a precision stands for."""
    return get_backend(spec.backend).precisions[spec.precision]


def check_precision(backend: "Backend", precision: str) -> None:
    """Raise `ConfigError` for a precision that ``backend`` does not have."""
    if precision not in backend.precisions:
        raise unknown(f"{backend.name}: unknown precision", precision, backend.precisions)


def check_installed(backend: "Backend") -> None:
    """Raise `MissingDependency` with the install line when a package of ``backend`` is absent."""
    if absent := _lazy.missing(backend.modules):
        how = f"Run: {_lazy.install_line(backend.extra)}" if backend.extra else f"Run: pip install {' '.join(absent)}"
        raise MissingDependency(f"backend {backend.name!r} needs {', '.join(absent)}, not installed. {how}")


@cache
def _installed() -> Mapping[str, str]:
    """Return the backends of installed packages; a name of ours cannot be taken over."""
    found = {entry.name: entry.value for entry in metadata.entry_points(group=GROUP)}
    return MappingProxyType({name: value for name, value in found.items() if name not in _BUILT_IN})


def _checked(name: str, factory: Callable[[], "Backend"]) -> "Backend":
    backend = factory()
    lacking = [attribute for attribute in _REQUIRED if not hasattr(backend, attribute)]
    if lacking:
        raise ConfigError(f"backend {name!r} lacks {', '.join(lacking)}; subclass pytest_whisperq.backends.Backend")
    if backend.name != name:
        raise ConfigError(f"backend {name!r} calls itself {backend.name!r}; register it under the name it has")
    return backend
