"""Merges that know texts alone, as `Merger`: they keep the contract at the level TEXT, where no word comes twice."""

from collections.abc import Callable, Sequence

from pytest_whisperq.streaming.chunks import Chunk, StreamWord, Update
from pytest_whisperq.streaming.level import Level


class TextMerge:
    """Adapts a function of the words so far and the words of a window, which returns the words from now on.

    All it returns counts as committed: a text-only merge shows one text. Words get the times of the window they came
    with, which say nothing about when they were said.
    """

    level = Level.TEXT

    def __init__(self, merge: Callable[[Sequence[str], Sequence[str]], Sequence[str]]) -> None:
        self._merge = merge
        self._words: tuple[StreamWord, ...] = ()
        self._over = False

    @property
    def committed(self) -> tuple[StreamWord, ...]:
        """Every word shown so far."""
        return self._words

    @property
    def state_size(self) -> int:
        """How many words it keeps, besides those it has committed: none."""
        return 0

    def push(self, chunk: Chunk) -> Update:
        """Hear one more chunk; raise `RuntimeError` after `flush`."""
        if self._over:
            raise RuntimeError("the stream was flushed; begin a new one with a new merge")
        texts = self._merge([word.text for word in self._words], [word.text for word in chunk.words])
        kept = 0
        while kept < min(len(texts), len(self._words)) and self._words[kept].text == texts[kept]:
            kept += 1
        new = tuple(StreamWord(text, chunk.start, chunk.end) for text in texts[kept:])
        self._words = self._words[:kept] + new
        return Update(new, ())

    def flush(self) -> Update:
        """Say that the stream is over."""
        self._over = True
        return Update()
