"""The options about what a run leaves behind; a part of `options.OPTIONS`."""

from pytest_whisperq.config import values
from pytest_whisperq.config.values import Option

OUTPUTS: tuple[Option, ...] = (
    Option(
        name="report",
        metavar="DIR",
        parse=values.text,
        is_path=True,
        creates=True,
        help="write report.html, report.json and summary.md into this folder",
    ),
    Option(
        name="report-audio",
        metavar="WHICH",
        parse=values.one_of("worst", "all", "none"),
        default="worst",
        help="recordings that report.html holds to be played: worst (the five that weigh most against each candidate), "
        "all or none; 4 MB at most",
    ),
    Option(
        name="save",
        metavar="FILE",
        parse=values.text,
        is_path=True,
        creates=True,
        help="write the run as JSON, to be compared with later",
    ),
    Option(
        name="compare",
        metavar="FILE[,FILE]",
        parse=values.names,
        is_path=True,
        help="saved runs that accuracy must not fall behind by max-drop points: the last accepted one, and an older "
        "one as an anchor",
    ),
    Option(
        name="export",
        metavar="DIR",
        parse=values.text,
        is_path=True,
        creates=True,
        help="copy every candidate that passed all its gates into this folder, with what they found",
    ),
    Option(
        name="redact",
        metavar="",
        parse=values.switch,
        default="false",
        is_switch=True,
        help="keep transcripts and recordings out of reports, saved runs, messages and tracebacks; names of files, "
        "hashes and counts stay",
    ),
)
