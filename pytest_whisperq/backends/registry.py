"""Which backends there are: the built-in ones, those of installed packages, and those a conftest registers."""

import inspect
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module, util
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends.capabilities import ChoosesCheckpoints, RunsFiles, RunsReadyMade
from pytest_whisperq.backends.values import ReadyMade
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import ConfigError, MissingDependency, unknown
from pytest_whisperq.system.extensions import Extensions
from pytest_whisperq.system.files import sha256

if TYPE_CHECKING:
    from pytest_whisperq.backends import Backend

GROUP = "pytest_whisperq.backends"
"""Entry point group of packages that bring a backend: name → ``module:Class``."""

_HERE = "pytest_whisperq.backends"
_BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "ctranslate2": f"{_HERE}.ctranslate2:CTranslate2Backend",
        "faster-whisper": f"{_HERE}.faster_whisper:FasterWhisperBackend",
        "faster-whisper-batched": f"{_HERE}.faster_whisper_batched:FasterWhisperBatchedBackend",
        "onnxruntime": f"{_HERE}.onnxruntime:OnnxRuntimeBackend",
        "openvino": f"{_HERE}.openvino:OpenVINOBackend",
        "openvino-genai": f"{_HERE}.openvino_genai:OpenVINOGenAIBackend",
        "openvino-stateless": f"{_HERE}.openvino:StatelessOpenVINOBackend",
        "scripted": f"{_HERE}.scripted:ScriptedBackend",
        "transformers": f"{_HERE}.transformers:TransformersBackend",
        "whispercpp": f"{_HERE}.whispercpp:WhisperCppBackend",
    }
)

BUILT_IN = tuple(_BUILT_IN)
"""The backends of this package."""

_REQUIRED = (
    *(
        "name",
        "precisions",
        "recommended",
        "original",
        "weights",
        "extra",
        "modules",
        "distributions",
        "calibrated",
        "controlled",
    ),
    *("simulated", "by_name", "requirements", "in_all", "falls_back", "base", "build", "load"),
)
_BACKENDS = Extensions("backend", GROUP, "pytest_whisperq_backends", _BUILT_IN, reserved=("all",))

register = _BACKENDS.register
names = _BACKENDS.names


def in_all() -> tuple[str, ...]:
    """Return the backends that ``all`` stands for."""
    return tuple(name for name in names() if get_backend(name).in_all)


def get_backend(name: str, option: str = "backend") -> "Backend":
    """Return a backend by name; raise `ConfigError` naming ``option`` that lists the valid ones."""
    return _checked(name, _BACKENDS.find(name, option))


def refusal(backend: "Backend", source: Path) -> str:
    """Return why a backend cannot be built of the checkpoint in a folder; "" where it can, see `ChoosesCheckpoints`."""
    return backend.refusal(source) if isinstance(backend, ChoosesCheckpoints) else ""


def runners(path: Path) -> Iterator[tuple[str, ReadyMade]]:
    """Yield the backends that run what lies in a folder, or what a file is, and what each finds in it."""
    able = RunsReadyMade if path.is_dir() else RunsFiles
    for name in names():
        backend = get_backend(name)
        if isinstance(backend, able) and (found := backend.look(path)):
            yield name, found


def in_file(name: str, source: Path, module: str, qualified: str) -> "Backend":
    """Return the backend whose class ``qualified`` is written in the file ``source``, as another process finds it.

    By the name of its ``module``, where that is the file's here too: it may be a part of a package.
    """
    factory: type[Backend] = attrgetter(qualified)(import_module(module) if _is_at(module, source) else _alone(source))
    return _checked(name, factory)


def _is_at(module: str, source: Path) -> bool:
    try:
        spec = util.find_spec(module)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None and Path(spec.origin) == source


def _alone(source: Path) -> ModuleType:
    """Import a file that no name leads to: of several conftest.py only one is ``conftest``."""
    name = f"_whisperq_backend_{source.stem}"  # not its own, which may be a library's
    spec = util.spec_from_file_location(name, source)
    if spec is None or spec.loader is None:
        raise ConfigError(f"the backend in {source} cannot be imported", remedy="write it in a .py file")
    sys.modules[name] = module = util.module_from_spec(spec)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def source_of(backend: "Backend") -> Path:
    """Return the file that a backend's class is written in."""
    cls = type(backend)
    # By its functions, if it has any: of several conftest.py only the last is known by the module's name. What
    # decorates a function may be written elsewhere.
    functions = (inspect.unwrap(value) for value in vars(cls).values() if inspect.isfunction(value))
    files = (inspect.getfile(one) for one in functions if one.__qualname__.startswith(f"{cls.__qualname__}."))
    return Path(next((file for file in files if not file.startswith("<")), "") or inspect.getfile(cls))


def code_digest(backend: "Backend") -> str:
    """Return a digest of a third party's code, which decides what is built; empty for ours, which a schema number does.

    Two projects may give one name to two backends, and one that is edited builds other models. What its module imports
    is known by its `distributions` only.
    """
    return "" if backend.name in _BUILT_IN else sha256(source_of(backend))


def check_precision(backend: "Backend", precision: str) -> None:
    """Raise `ConfigError` for a precision that ``backend`` does not have."""
    if precision not in backend.precisions:
        raise unknown("unknown precision", precision, backend.precisions, where=backend.name)


def distributions(backend: "Backend", precision: str) -> tuple[str, ...]:
    """Return the distributions whose versions decide what is built and decoded in a precision.

    They are part of its identity, and of that of no precision that does without them.
    """
    beyond = backend.requirements.get(precision)
    return (*backend.distributions, *(beyond.distributions if beyond else ()))


def check_installed(backend: "Backend", precision: str = "") -> None:
    """Raise `MissingDependency` with the install line when a package of ``backend`` is absent.

    Or one that ``precision`` needs beyond it.
    """
    _check_modules(f"backend {backend.name!r}", backend.modules, backend.extra)
    if beyond := backend.requirements.get(precision):
        _check_modules(f"{backend.name}:{precision}", beyond.modules, beyond.extra)


def _check_modules(who: str, modules: tuple[str, ...], extra: str) -> None:
    if absent := optional_imports.missing(modules):
        line = optional_imports.install_line(extra) if extra else f"pip install {' '.join(absent)}"
        raise MissingDependency(
            f"{who} needs {', '.join(absent)}, not installed", remedy=f"{optional_imports.RUN}{line}"
        )


def _checked(name: str, factory: Any) -> "Backend":
    if not isinstance(factory, type):
        raise ConfigError(f"give its class, which takes no arguments (got {factory!r})", where=f"backend {name!r}")
    try:
        backend: Backend = factory()
    except Exception as error:
        raise ConfigError(f"{factory.__qualname__}() failed: {error}", where=f"backend {name!r}") from error
    lacking = [attribute for attribute in _REQUIRED if not hasattr(backend, attribute)]
    if lacking:
        raise ConfigError(
            f"backend {name!r} lacks {', '.join(lacking)}", remedy="subclass pytest_whisperq.backends.Backend"
        )
    if backend.name != name:
        raise ConfigError(f"backend {name!r} calls itself {backend.name!r}", remedy="register it under the name it has")
    return backend
