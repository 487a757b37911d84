"""Which backends compute on which device, and what they execute there; all but the CPU is a backend's ability.

A backend says what it can in its own file (`RunsOnDevices`); everybody else asks here.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_whisperq.backends.capabilities import RunsOnDevices, TellsDevice, Transcriber
from pytest_whisperq.backends.registry import get_backend, names
from pytest_whisperq.system.devices import CPU

if TYPE_CHECKING:
    from pytest_whisperq.backends import Backend


def precisions(backend: "Backend", device: str) -> Mapping[str, str]:
    """Return the precisions that a backend has on a device → what is expected to execute; none where it has no way."""
    if device == CPU:
        return backend.precisions
    known = backend.on_device.get(device, ()) if isinstance(backend, RunsOnDevices) else ()
    return MappingProxyType({name: backend.precisions[name] for name in known})


def recommended(backend: "Backend", device: str) -> str:
    """Return the precision of a backend by itself, on a device that it computes on."""
    return backend.recommended if device == CPU else next(iter(precisions(backend, device)))


def able(device: str) -> list[str]:
    """Return the names of the backends that compute on a device, whatever is installed."""
    return [name for name in names() if precisions(get_backend(name), device)]


def lacking(backend: "Backend", device: str) -> str:
    """Return why a backend that has a device cannot use it on this machine; "" where it can."""
    return backend.lacks(device) if device != CPU and isinstance(backend, RunsOnDevices) else ""


def falls_back(backend: "Backend", device: str) -> Mapping[str, str]:
    """Return the precisions that this machine would not execute as promised on a device → why, in words."""
    if device == CPU:
        return backend.falls_back()
    return backend.falls_back_on(device) if isinstance(backend, RunsOnDevices) else {}


def load(backend: "Backend", device: str, precision: str, directory: Path, threads: int) -> Transcriber:
    """Load what `Backend.build` wrote onto a device; raise ValueError for a backend that has no way to it."""
    if device == CPU:
        return backend.load(precision, directory, threads)
    if not isinstance(backend, RunsOnDevices):
        raise ValueError(f"{backend.name} does not compute on {device}")
    return backend.load_on(device, precision, directory, threads)


def where(transcriber: Transcriber) -> str:
    """Return the kind of device that a loaded model says it is on; one that says nothing is on the CPU."""
    return str(transcriber.device).partition(":")[0].lower() if isinstance(transcriber, TellsDevice) else CPU
