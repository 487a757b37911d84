"""Rows of a document that are kept on disk: as Python holds them, those of a million utterances are gigabytes."""

import json
import tempfile
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

from pytest_whisperq.system.scratch import errors_of_room


class Rows(Sequence[dict[str, Any]]):
    """JSON objects in a file without a name, which goes with them; each is read when it is asked for.

    Raises `StoreError` where the folder for temporary files has no room.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._starts = array("q", [0])
        with errors_of_room():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when nobody has the rows any longer
        for row in rows:
            with errors_of_room():
                self._starts.append(self._starts[-1] + self._file.write(json.dumps(row).encode()))
        with errors_of_room():
            self._file.flush()

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, place: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        places = range(len(self))[place]
        return self._read(places) if isinstance(places, int) else [self._read(one) for one in places]

    def _read(self, place: int) -> dict[str, Any]:
        start, end = self._starts[place : place + 2]
        self._file.seek(start)
        row: dict[str, Any] = json.loads(self._file.read(end - start))
        return row
