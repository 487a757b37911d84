"""Import optional packages late, and say exactly what to install when one is missing."""

import importlib.util
import sys
from importlib import import_module
from typing import Any

from pytest_whisperq.system.errors import MissingDependency

RUN = "run: "
"""What a remedy begins with that is a command."""


def install_line(extra: str) -> str:
    """Return the command that installs what ``extra`` needs."""
    return f'pip install "pytest-whisperq[{extra}]"'


def missing(modules: tuple[str, ...]) -> list[str]:
    """Return the top-level ``modules`` that are not installed, without importing any of them."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def refuse_telemetry() -> None:
    """Let OpenVINO and NNCF report nothing: both send every use to Google Analytics, unless a package is missing.

    They have a stub for that case.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # how an import is made to fail


def require(module: str, *, extra: str, purpose: str) -> Any:
    """Import ``module``, or raise one `MissingDependency` instead of the importer's stack of causes.

    ``extra`` is the pytest-whisperq extra that installs it, ``purpose`` completes "… is needed to …".
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        # transformers reports *any* failure below one of its lazy attributes as ModuleNotFoundError: that is not
        # "not installed", so only a top-level package that really is absent gets the install line.
        if error.name is not None and missing((error.name.split(".")[0],)):
            raise MissingDependency(
                f"{error.name} is not installed; it is needed to {purpose}", remedy=f"{RUN}{install_line(extra)}"
            ) from error
        raise _broken(module, extra, purpose, error) from error
    except (ImportError, OSError, RuntimeError) as error:
        raise _broken(module, extra, purpose, error) from error


def require_attribute(module: str, name: str, *, extra: str, purpose: str) -> Any:
    """Import ``module`` and return its attribute ``name``, under the same terms as `require`.

    transformers and optimum import their heavy parts on attribute access, which is where a broken installation shows.
    """
    owner = require(module, extra=extra, purpose=purpose)
    try:
        return getattr(owner, name)
    except (AttributeError, ImportError, OSError, RuntimeError) as error:
        raise _broken(f"{module}.{name}", extra, purpose, error) from error


def _broken(module: str, extra: str, purpose: str, error: BaseException) -> MissingDependency:
    chain: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(chain) < 8:
        chain.append(str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    if any("torchvision" in text for text in chain):
        return MissingDependency(
            f"torchvision is installed but does not work with this torch, and takes {module} down with it "
            f"(needed to {purpose}). Whisper does not use torchvision",
            remedy=f"{RUN}pip uninstall torchvision",
        )
    return MissingDependency(
        f"{module} is installed but cannot be imported (needed to {purpose}): {chain[-1]}",
        remedy=f"in a fresh environment, {RUN}{install_line(extra)}" if extra else "reinstall it",
    )
