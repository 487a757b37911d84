"""``corpus``: recordings of one's own, from a folder to a corpus that can be gated on."""

from typing import Any

from pytest_whisperq.commands import corpus_card, corpus_convert, corpus_init, corpus_lint, corpus_sample


def register(commands: Any) -> None:
    """Add the command with its actions."""
    text = "recordings of your own: start from a folder, check what is there, describe it, convert it, sample it"
    actions = commands.add_parser("corpus", help=text, description=text).add_subparsers(required=True, metavar="ACTION")
    for action in (corpus_lint, corpus_init, corpus_card, corpus_convert, corpus_sample):
        action.register(actions)
