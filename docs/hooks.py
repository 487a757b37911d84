"""What the pages do not say twice: tables made of the code's own tables, and sections of the README."""

import re
from pathlib import Path
from typing import Any

from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.gates.registry import all_gates

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
REPOSITORY_FILES = re.compile(r"\[([^\]]+)\]\((?:fixtures|tests)/[^)]*\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in ``<!-- options -->``, ``<!-- markers -->`` and ``<!-- readme: SECTION -->``.

    The rest of such a line is for those who read the page in the repository, and goes.
    """
    markdown = re.sub(r"<!-- options -->.*", lambda _: options_table(), markdown)
    markdown = re.sub(r"<!-- markers -->.*", lambda _: markers_list(), markdown)
    return re.sub(r"<!-- readme: (.*?) -->.*", lambda match: readme_section(match[1]), markdown)


def options_table() -> str:
    """Return every option with its ini key, meaning and default."""
    rows = [
        f"| `{option.flag}` | `{option.ini}` | {option.help.replace('|', chr(92) + '|')} | "
        f"{'–' if option.default is None else f'`{option.default}`'} |"
        for option in OPTIONS
    ]
    return "\n".join(["| option | ini key | meaning | default |", "|---|---|---|---|", *rows])


def markers_list() -> str:
    """Return every marker with its keywords."""
    rows = [f"| `{gate.usage.partition(':')[0]}` | {gate.summary} |" for gate in all_gates()]
    return "\n".join(["| marker | passes when |", "|---|---|", *rows])


def readme_section(name: str) -> str:
    """Return what the README says under a heading, with links as they are from here."""
    found = re.search(rf"^(##+) {re.escape(name)}\n(.*?)(?=^##? |\Z)", README, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"README.md has no section {name!r}")
    text = found[2].replace("](docs/", "](")
    return REPOSITORY_FILES.sub(r"\1", text)
