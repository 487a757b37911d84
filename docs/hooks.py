"""What the pages do not write down by hand: tables made of the code's own tables."""

import re
from typing import Any

from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.gates.registry import all_gates


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in ``<!-- options -->`` and ``<!-- markers -->``.

    The rest of such a line is for those who read the page in the repository, and goes.
    """
    markdown = re.sub(r"<!-- options -->.*", lambda _: options_table(), markdown)
    return re.sub(r"<!-- markers -->.*", lambda _: markers_list(), markdown)


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
