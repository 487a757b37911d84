"""Sealed lines: whatever a bit, a kill or a mix-up does to them, no record is read that was not written."""

import json
from pathlib import Path

import pytest

from pytest_whisperq.system.errors import StoreError
from pytest_whisperq.system.sealed import SealedLines, read_sealed, seal, sealed, unseal

RECORDS = ({"clip": "a:en", "text": "india zwölf", "tokens": [1, 2]}, {"clip": "b", "seconds": 0.1, "language": None})
LINES = sealed(RECORDS, "x").encode()


def test_records_come_back_as_they_were_and_each_line_is_json() -> None:
    assert unseal(LINES, "x") == SealedLines(records=RECORDS)
    assert [json.loads(line)["clip"] for line in LINES.splitlines()] == ["a:en", "b"]


def test_no_flipped_bit_is_read_and_each_is_noticed() -> None:
    for position in range(len(LINES)):
        for bit in range(8):
            damaged = bytearray(LINES)
            damaged[position] ^= 1 << bit
            lines = unseal(bytes(damaged), "x")
            assert all(record in RECORDS for record in lines.records)
            assert len(lines.records) < len(RECORDS)
            assert lines.damaged or (lines.is_cut and position == len(LINES) - 1)


def test_what_a_killed_writer_left_is_cut_and_not_damaged() -> None:
    ends = {0, LINES.index(b"\n") + 1, len(LINES)}
    for length in range(len(LINES) + 1):
        lines = unseal(LINES[:length], "x")
        assert lines.records == RECORDS[: LINES[:length].count(b"\n")]
        assert (lines.damaged, lines.is_cut) == (0, length not in ends)


@pytest.mark.parametrize(
    "junk", ["12", "null", "[]", "{}", '{"clip": "x"}', "\0\0\0", "[" * 100_000, '{"a":' * 9_999, ""]
)
def test_a_line_without_its_digest_is_damaged_whatever_it_says(junk: str) -> None:
    lines = unseal(LINES + f"{junk}\n".encode(), "x")
    assert (lines.records, lines.damage) == (RECORDS, "1 of 3 lines")


def test_a_line_of_another_file_is_damage() -> None:
    assert unseal(LINES + seal({"clip": "c"}, "y").encode(), "x").damage == "1 of 3 lines"


def test_a_file_is_read_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(LINES)
    assert read_sealed(tmp_path / "x").records == RECORDS
    (tmp_path / "x").rename(tmp_path / "y")
    assert read_sealed(tmp_path / "y").damaged == 2
    assert read_sealed(tmp_path / "none") == SealedLines()


def test_what_cannot_be_read_is_an_error_and_not_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"^{tmp_path}: cannot be read: Is a directory; delete it"):
        read_sealed(tmp_path)
