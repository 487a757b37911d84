"""Manifests that are damaged, misspelt, or written in another dialect."""

import csv
import io
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from world import Case, World, clip, damaged, fresh, table

Row = list[str]
HEADER = ["file_name", "text"]


def cases(folder: Path, chance: random.Random) -> Iterator[Case]:
    """Yield manifests: bytes damaged, cells replaced, CSV and JSON lines in turn."""
    while True:
        yield _damaged_bytes(fresh(folder), chance, chance.choice([_csv, _json_lines]))
        yield _odd_cell(fresh(folder), chance)
        yield _dialect(fresh(folder), chance)


def _csv(rows: Sequence[Row]) -> tuple[str, bytes]:
    return "metadata.csv", table([HEADER, *rows]).encode()


def _json_lines(rows: Sequence[Row]) -> tuple[str, bytes]:
    return "metadata.jsonl", "".join(json.dumps(dict(zip(HEADER, row, strict=True))) + "\n" for row in rows).encode()


def _case(world: World, what: str, name: str, data: bytes) -> Case:
    world.manifest.unlink()
    (world.calls / name).write_bytes(data)
    rows = read_again(name, data)
    known = {clip(number) for number in range(len(world.references))}
    is_meant = rows is not None and all(file in known for file, _ in rows) and len({f for f, _ in rows}) == len(rows)
    expected = world.figures(rows) if rows and is_meant and all(text.split() for _, text in rows) else None
    return Case(f"{name}: {what}", lambda: world.gate(expected, [name, "calls"]))


def _damaged_bytes(world: World, chance: random.Random, write: Callable[[Sequence[Row]], tuple[str, bytes]]) -> Case:
    name, data = write(world.rows())
    what, data = damaged(data, chance)
    return _case(world, what, name, data)


ODD: tuple[Any, ...] = (
    *("", " ", "\0", "\n", "\x1b[31m", "../clip00.wav", "/etc/passwd", "clip00.wav", "x" * 5000, "~", "nan", "1e400"),
    *("clip99.wav", "CLIP00.WAV", "calls", ".", "http://localhost/a.wav", "‮", "é" * 200, '"', "a,b", "null"),
    *(None, True, 0, -1, 1.5, float("nan"), 10**400, [], ["x"], {}, {"bytes": "AAAA"}, {"path": "clip00.wav"}),
)


def _odd_cell(world: World, chance: random.Random) -> Case:
    """Put something odd where a name, a text, or one of the other columns is expected."""
    rows: list[dict[str, Any]] = [dict(zip(HEADER, row, strict=True)) for row in world.rows()]
    column = chance.choice([*HEADER, "language", "cluster", "kind", "offset", "duration", "audio", "sampling_rate"])
    value = chance.choice(ODD)
    rows[chance.randrange(len(rows))][column] = value
    data = "".join(json.dumps(row) + "\n" for row in rows)
    case = _case(world, f"{column} is {str(value)[:20]!r}", "metadata.jsonl", data.encode())
    if column in HEADER:
        return case
    # What these columns do to a row that is accepted is not known here: nothing, unless they choose what is judged.
    return Case(case.what, lambda: world.gate(world.figures(), ["metadata.jsonl", "calls"]))


def _dialect(world: World, chance: random.Random) -> Case:
    """Write the same table in another way: all of it is read, or none."""
    encoding = chance.choice(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "utf-32"])
    separator = chance.choice([",", ";", "\t", "|"])
    end = chance.choice(["\n", "\r\n", "\r", "\n\n"])
    header = chance.choice([HEADER, ["File_Name", "Text"], [" file_name", "text "], ["file_name", "text", ""]])
    text = table([header, *world.rows()], separator, end)
    text = (
        chance.choice(["", "\n", "sep=;\n", "# a comment\n", "\ufeff"])
        + text
        + chance.choice(["", "\n\n", "\0", "\x1a"])
    )
    name = chance.choice(["metadata.csv", "metadata.csv", "metadata.jsonl"])
    world.manifest.unlink()
    (world.calls / name).write_bytes(text.encode(encoding, "replace"))
    what = f"{name}: {encoding}, separator {separator!r}, line end {end!r}, header {header}"
    return Case(what, lambda: world.gate(world.figures(), [name, "calls"]))


def read_again(name: str, data: bytes) -> list[Row] | None:
    """Read a manifest with the standard library: (file, text) of each row; None for what is no such table."""
    try:
        text = data.decode("utf-8-sig")
        if name.endswith(".csv"):
            table = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        else:
            table = [json.loads(line) for line in text.split("\n") if line.strip()]
        rows = [[row["file_name"], row["text"]] for row in table]
    except (ValueError, KeyError, TypeError, csv.Error):
        return None
    return rows if all(isinstance(cell, str) for row in rows for cell in row) else None
