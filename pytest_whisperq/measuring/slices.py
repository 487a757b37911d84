"""The parts of a corpus that its columns name: every language, voice, noise … by itself."""

from array import array
from collections import defaultdict
from dataclasses import dataclass, replace

from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.system.on_disk import choose


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The pairs that share a value of a column, under a name such as ``language=es``."""

    name: str
    texts: PairedTexts

    @property
    def size(self) -> str:
        """The name with how much there is of it, for messages."""
        count = len(self.texts.pairs)
        return f"{self.name} ({count} utterance{'' if count == 1 else 's'})"


def slices_of(texts: PairedTexts) -> list[Slice]:
    """Return every slice, by column and value. A column in which all utterances have one value slices nothing."""
    columns: dict[str, dict[str, array[int]]] = defaultdict(lambda: defaultdict(lambda: array("I")))
    for place, pair in enumerate(texts.pairs):
        for column, value in pair.utterance.slices:
            columns[column][value].append(place)
    return [
        Slice(name=f"{column}={value}", texts=replace(texts, pairs=choose(texts.pairs, places)))
        for column, values in sorted(columns.items())
        if len(values) > 1 or sum(map(len, values.values())) < len(texts.pairs)
        for value, places in sorted(values.items())
    ]
