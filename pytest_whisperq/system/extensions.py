"""Things that are known by name: the package's own, those of installed packages, and those a conftest registers."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from importlib import import_module, metadata
from typing import Any

from pytest_whisperq.system.errors import ConfigError, unknown


class Extensions:
    """Names of one ``kind`` ("backend", "gate") and what each stands for.

    ``built_in`` maps names to ``module:attribute``; ``group`` is the entry point group of packages that bring more, and
    ``hook`` the hook with which a conftest does. A name is taken once; ``reserved`` names are nobody's.

    >>> colours = Extensions("colour", "example.colours", "example_colours", {"red": "html:escape"})
    >>> colours.names()
    ('red',)
    >>> forget = colours.register([{"blue": "anything"}])
    >>> colours.find("blue", "--colour")
    'anything'
    >>> forget()
    >>> colours.names()
    ('red',)
    """

    def __init__(
        self, kind: str, group: str, hook: str, built_in: Mapping[str, str], reserved: Iterable[str] = ()
    ) -> None:
        self.kind = kind
        self.built_in = built_in
        self._group = group
        self._hook = hook
        self._reserved = tuple(reserved)
        self._registered: dict[str, Any] = {}  # of this process: a hook has no other way to every caller

    @cached_property
    def installed(self) -> Mapping[str, str]:
        """What installed packages bring, by name; raises `ConfigError` for a name that is taken."""
        by_name: dict[str, str] = {}
        for entry in metadata.entry_points(group=self._group):
            if entry.name in (*self.built_in, *by_name, *self._reserved):
                raise ConfigError(
                    f"the {self.kind} name {entry.name!r} of {entry.value} is taken",
                    remedy="uninstall one of the packages",
                )
            by_name[entry.name] = entry.value
        return by_name

    def names(self) -> tuple[str, ...]:
        """Return every name there is."""
        return (*self.built_in, *self.installed, *self._registered)

    def register(self, groups: Iterable[Mapping[str, Any]]) -> Callable[[], None]:
        """Make things known by name, instead of those registered before; call the result to bring those back.

        Raises `ConfigError` for a name that is taken.
        """
        fresh: dict[str, Any] = {}
        for group in groups:
            for name, value in group.items():
                if name in (*self.built_in, *self.installed, *fresh, *self._reserved):
                    raise ConfigError(
                        f"the name {name!r} is taken", where=self._hook, remedy=f"give the {self.kind} another"
                    )
                fresh[name] = value
        before, self._registered = self._registered, fresh

        def restore() -> None:
            self._registered = before

        return restore

    def find(self, name: str, where: str) -> Any:
        """Return what a name stands for; raise `ConfigError` naming ``where`` that lists the valid ones."""
        if name in self._registered:
            return self._registered[name]
        location = {**self.installed, **self.built_in}.get(name)
        if location is None:
            raise unknown(f"unknown {self.kind}", name, self.names(), where=where)
        module, _, attribute = location.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except Exception as error:  # a third party's module may fail in any way
            raise ConfigError(
                f"{self.kind} {name!r} at {location} cannot be imported: {error}",
                remedy="mend or uninstall the package that brings it",
            ) from error
