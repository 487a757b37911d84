"""Transcripts that a model wrote and nobody has corrected: the column that marks them, and the table they stand in."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pytest_whisperq.speech.corpus.delimited import sniff
from pytest_whisperq.speech.corpus.files import read_text
from pytest_whisperq.speech.corpus.rows import DRAFT_KEY, canonical, columns, utterance
from pytest_whisperq.speech.corpus.types import NONSPEECH, Corpus, Utterance
from pytest_whisperq.system.errors import CorpusError

MARK = "yes"
"""What stands in the column of a row whose transcript is a draft."""

REMEDY = f"listen, correct the text, and clear its mark in the column {DRAFT_KEY}"

_MARKED_UTF = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def refuse_drafts(corpus: Corpus) -> None:
    """Raise `CorpusError` where transcripts are drafts: a model would be judged by what it said itself."""
    if drafts := corpus.drafts:
        count = f"{len(drafts)} transcripts are drafts" if len(drafts) > 1 else "1 transcript is a draft"
        raise CorpusError(
            f"{count} of a model and no reference, {drafts[0].id} the first",
            where=drafts[0].where,
            remedy=f"{REMEDY}, one by one",
        )


class DraftTable(NamedTuple):
    """A CSV of recordings that is filled in. All else stays as it is written: columns, order and what parts them."""

    path: Path
    head: str
    delimiter: str
    line_end: str
    header: list[str]
    rows: list[list[str]]

    @staticmethod
    def read(path: Path) -> "DraftTable":
        """Read a file; raise `CorpusError` for one that is no such table, or could not be written as it is."""
        text = read_text(path)
        raw = path.read_bytes()
        dialect = sniff(text.split("\n"))
        *skipped, body = text.split("\n", dialect.skip)
        reader = csv.reader(io.StringIO(body, newline=""), delimiter=dialect.delimiter, strict=True)
        try:
            header, *rows = (fields for fields in reader if fields)
        except (csv.Error, ValueError) as error:
            raise CorpusError(f"is not valid CSV ({error})", where=str(path)) from error
        for number, fields in enumerate(rows, start=1):
            if len(fields) != len(header):
                raise CorpusError(
                    f"has {len(fields)} fields where the header has {len(header)}",
                    where=f"{path} row {number}",
                    remedy="put text that contains a delimiter in double quotes",
                )
        line_end = "\r\n" if b"\r\n" in raw else "\n"
        head = "".join(f"{line}{line_end}" for line in skipped)
        return DraftTable(
            path=path,
            head=("\ufeff" if raw.startswith(_MARKED_UTF) else "") + head,
            delimiter=dialect.delimiter,
            line_end=line_end,
            header=header,
            rows=rows,
        )

    def empty(self) -> dict[int, Utterance]:
        """Return the recordings without a transcript in which somebody may speak, by the places of their rows.

        Each is an utterance without words. Raises `CorpusError` for a row that no run could use once it had some.
        """
        root = self.path.parent.resolve()
        return {
            place: utterance({**row, "kind": NONSPEECH}, where=f"{self.path} row {place + 1}", root=root)
            for place, row in enumerate(self._named_rows())
            if not row[self._text].strip() and row.get("kind", "").strip() != NONSPEECH
        }

    def filled(self, texts: Mapping[str, str]) -> tuple[str, int]:
        """Return the table with ``texts``, by utterance, where it has none; and how many that are. They are marked."""
        names = list(map(canonical, self.header))
        header = self.header if DRAFT_KEY in names else [*self.header, DRAFT_KEY]
        text_at = names.index(self._text)
        mark_at = names.index(DRAFT_KEY) if DRAFT_KEY in names else len(names)
        rows = [[*fields, ""][: len(header)] for fields in self.rows]
        filled = 0
        for place, item in self.empty().items():
            if text := texts.get(item.id):
                rows[place][text_at], rows[place][mark_at] = text, MARK
                filled += 1
        file = io.StringIO(newline="")
        csv.writer(file, delimiter=self.delimiter, lineterminator=self.line_end).writerows([header, *rows])
        return self.head + file.getvalue(), filled

    @property
    def _text(self) -> str:
        try:
            return columns(tuple(map(canonical, self.header))).text
        except CorpusError as error:
            raise error.within(str(self.path)) from None

    def _named_rows(self) -> Iterator[dict[str, str]]:
        names = list(map(canonical, self.header))
        return (dict(zip(names, fields, strict=True)) for fields in self.rows)
