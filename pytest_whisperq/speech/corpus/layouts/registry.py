"""Layouts in the order in which they are looked for: the first that recognizes a place reads it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_whisperq.speech.corpus.layouts.common_voice import is_common_voice, read_list
from pytest_whisperq.speech.corpus.layouts.kaldi import is_kaldi, read_kaldi
from pytest_whisperq.speech.corpus.layouts.lhotse import is_lhotse, read_lhotse
from pytest_whisperq.speech.corpus.layouts.librispeech import is_librispeech, read_librispeech
from pytest_whisperq.speech.corpus.layouts.ljspeech import is_ljspeech, read_ljspeech
from pytest_whisperq.speech.corpus.layouts.stm import is_stm, read_stm
from pytest_whisperq.speech.corpus.reading import Reading
from pytest_whisperq.speech.corpus.types import Utterance


class Layout(NamedTuple):
    """How speech data lies about. ``recognizes`` and ``read`` take a folder or a file."""

    name: str
    recognizes: Callable[[Path], bool]
    read: Callable[[Path, Reading], Sequence[Utterance]]


_COMMON_VOICE = Layout("Common Voice", is_common_voice, read_list)
_LJSPEECH = Layout("LJSpeech", is_ljspeech, read_ljspeech)
_LHOTSE = Layout("lhotse", is_lhotse, read_lhotse)
_STM = Layout("STM", is_stm, read_stm)

LISTS = (_LJSPEECH, _LHOTSE, _STM, _COMMON_VOICE)
"""Layouts of which one file can be named."""

FLAT = (_LJSPEECH, Layout("Kaldi", is_kaldi, read_kaldi), _LHOTSE)
"""Layouts that the files of one folder tell. (Common Voice has splits in it, as tables have.)"""

DEEP = (Layout("LibriSpeech", is_librispeech, read_librispeech), _STM)
"""Layouts whose files may lie anywhere below."""
