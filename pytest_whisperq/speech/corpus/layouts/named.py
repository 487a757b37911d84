"""Layouts that are told from others but not read, each with what turns it into one that is."""

from pathlib import Path

from pytest_whisperq.speech.corpus.files import files_in
from pytest_whisperq.system.errors import CorpusError

_PARQUET = "write it as parquet"
NAMED = {
    ".tar": (
        "shards of WebDataset or lhotse Shar",
        f"{_PARQUET}: datasets.load_dataset('webdataset', …).to_parquet()",
    ),
    ".arrow": ("a table of Arrow", f"{_PARQUET}: datasets.Dataset.from_file(FILE).to_parquet('test.parquet')"),
    ".tfrecord": ("records of TensorFlow", "write each recording to a file and list them in metadata.csv"),
    ".eaf": ("annotations of ELAN", "export them in ELAN: File > Export As > Subtitles Text, as .srt"),
    ".trs": ("transcripts of Transcriber", "convert them to STM: trs2stm, or export them in Transcriber"),
    ".cha": ("transcripts of CHAT", "convert them to subtitles: chat2srt (CLAN)"),
    ".ctm": ("times of words for NIST's scorer", "write what is said between pauses as STM"),
    ".xlsx": ("a workbook of Excel", "save its sheet as CSV UTF-8"),
    ".ods": ("a workbook of LibreOffice", "save its sheet as CSV, in UTF-8"),
}
"""Endings of names: what such a file is, and what to do."""


def refuse_named(path: Path) -> None:
    """Raise `CorpusError` for a file of a layout that is not read, or for a folder that holds one."""
    for one in [path] if path.is_file() else files_in(path):
        if one.suffix.lower() in NAMED:
            what, remedy = NAMED[one.suffix.lower()]
            raise CorpusError(f"holds {what}, which is not read", where=str(one), remedy=remedy)
