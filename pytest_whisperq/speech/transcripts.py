"""What is wrong with a transcript, as its text alone tells.

A rule is here only if what it finds is never said: each would rather miss a fault than name a good transcript.
"""

import re
import unicodedata
from collections.abc import Callable
from html.entities import html5
from pathlib import PurePosixPath

from pytest_whisperq.speech.corpus.files import AUDIO_SUFFIXES
from pytest_whisperq.speech.corpus.spacing import is_spaced
from pytest_whisperq.speech.corpus.types import Utterance
from pytest_whisperq.speech.writing import SCRIPTS, lookalike, other_language, scripts_of

_PLACEHOLDER = re.compile(r"(to-do|tbd|n/a|fixme|x{3,}|[-_.?…\s]+)", re.IGNORECASE)
_PERHAPS = re.compile(r"(todo|na|none|null|nan|unknown|inaudible|unintelligible)", re.IGNORECASE)
"""Placeholders too, but in lower case and other languages they are words: todo, null."""
_UNSAID = "unk|inaudible|unintelligible|noise|laughter|music|silence|crosstalk"
_MARKUP = re.compile(rf"[\[<{{(]\s*({_UNSAID})\b.*?[\]>}})]", re.IGNORECASE)
_MOJIBAKE = re.compile("\ufffd|Ã[\x80-\xbf¡-¿€‚ƒ„†‡ˆ‰Š‹ŒŽ˜™š›œžŸ]|Ã[‘’“”•–—…](?=\\w)|â€")
_REFERENCE = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z]\w+);")
_ESCAPE = re.compile(r"""\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[nrt"])""")
_TAG = re.compile(r"<\|[^<>|]*\|>|</?[A-Za-z][\w:.-]*(?:\s[^<>]*)?/?>")
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?"
_TIME = re.compile(rf"{_CLOCK}\s*-->|[\[<]{_CLOCK}(?:\s*-+>?\s*{_CLOCK})?[\]>]")
_SPEAKER = re.compile(
    r"\bSPEAKER_\d+\b|^\W*(?:speaker|spk|sprecher|locuteur|hablante)[ _-]?\d+\W*:|"
    r"^\W*(?:agent|customer|caller|interviewer|operator)(?: \d)?\]?:",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_UNSEEN = frozenset("\u2060\ufeff\ufffc")
_DIRECTIONS = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
_LEFTWARDS = frozenset({"ARABIC", "HEBREW", "SYRIAC", "THAANA", "NKO"})
_SEVERAL = 4
"""Words that two languages do not share by chance, as they do numbers and names."""
_ENOUGH = 10
"""Letters, in several words, that no name or title of another script has by chance."""


def fault(item: Utterance) -> str:
    """Return what is wrong with the transcript of a spoken utterance and what to do about it; "" for nothing.

    One thing is named at most: what is wrong besides mostly follows from it.
    """
    return next(filter(None, (look(item.reference.strip(), item) for look in _LOOKS)), "")


def translation_fault(item: Utterance) -> str:
    """Return what is wrong with the English translation of an utterance and what to do about it; "" for nothing."""
    text = item.translation
    if not text:
        return ""
    if item.language == "en":
        return "it is spoken in English and has a translation, which no gate looks at; clear one of the two"
    if text.casefold() == item.reference.casefold() and len(text.split()) >= _SEVERAL:
        return f"the translation {text!r} is the transcript; write what it says in English"
    if other := other_language(text, "en"):
        return f"the translation {text!r} is in {other} by its small words; write it in English"
    wrong = fault(item._replace(reference=text, language="en"))
    return wrong.replace("the transcript", "the translation", 1)


def _stands_for_none(text: str, item: Utterance) -> str:
    is_word = item.language not in (None, "en") and not text.isupper()
    if _PLACEHOLDER.fullmatch(text) or (_PERHAPS.fullmatch(text) and not is_word):
        return f"the transcript {text!r} stands for one that is missing; write what is said"
    return ""


def _is_file_name(text: str, item: Utterance) -> str:
    name = PurePosixPath(text.replace("\\", "/"))
    stem = PurePosixPath(item.audio.label).stem
    is_named = name.suffix.lower() in AUDIO_SUFFIXES or _UUID.fullmatch(text)
    if len(text.split()) == 1 and (is_named or ("_" in text and text in (stem, item.audio.label))):
        return f"the transcript {text!r} is the name of a file; write what is said"
    return ""


def _unsaid(text: str, item: Utterance) -> str:  # noqa: ARG001 - the signature of those that mind it
    if match := _MARKUP.search(text):
        return f"the transcript holds {match.group()!r}, which nobody says; write what is said, or leave the clip out"
    return ""


def _misread(text: str, item: Utterance) -> str:  # noqa: ARG001
    if _MOJIBAKE.search(text):
        return f"the transcript {text!r} was read in the wrong encoding; save it as UTF-8 again"
    return ""


def _references(text: str, item: Utterance) -> str:  # noqa: ARG001
    for match in _REFERENCE.finditer(text):
        if match[0][1] == "#" or match[0][1:] in html5:
            return f"the transcript holds {match[0]!r}, a character as HTML writes it; unescape it (html.unescape)"
    return ""


def _escapes(text: str, item: Utterance) -> str:  # noqa: ARG001
    if match := _ESCAPE.search(text):
        return f"the transcript holds {match[0]!r}, an escape that was never read; write the character itself"
    return ""


def _times(text: str, item: Utterance) -> str:  # noqa: ARG001
    if match := _TIME.search(text):
        return f"the transcript holds {match[0]!r}, a time of subtitles; take it out, or keep the file as .srt or .vtt"
    return ""


def _tags(text: str, item: Utterance) -> str:  # noqa: ARG001
    if match := _TAG.search(text):
        return f"the transcript holds the tag {match[0]!r}; take markup out, and write what is said"
    return ""


def _speakers(text: str, item: Utterance) -> str:  # noqa: ARG001
    if match := _SPEAKER.search(text):
        return f"the transcript names a speaker ({match[0]!r}), whom nobody says; move it to the column cluster"
    return ""


def _invisible(text: str, item: Utterance) -> str:
    for char in text:
        is_control = unicodedata.category(char) in ("Cc", "Cn", "Co", "Cs") and not char.isspace()
        is_direction = char in _DIRECTIONS and not _LEFTWARDS.intersection(scripts_of(text))
        is_gap = char == "\u200b" and is_spaced(item.language, text) and is_spaced(None, text)
        if is_control or is_direction or is_gap or char in _UNSEEN:
            name = unicodedata.name(char, "no letter of any language")
            return f"the transcript holds U+{ord(char):04X} ({name}), which nobody sees or says; remove it"
    return ""


def _lookalikes(text: str, item: Utterance) -> str:  # noqa: ARG001
    if found := lookalike(text):
        word, letters = found
        return f"the word {word!r} has letters of another script that look alike ({letters}); write it in one script"
    return ""


def _script(text: str, item: Utterance) -> str:
    known = SCRIPTS.get(item.language or "", ())
    written = scripts_of(text)
    is_long = written.total() >= _ENOUGH and (len(text.split()) > 2 or not is_spaced(None, text))
    if known and is_long and not written.keys() & set(known):
        (script, _), *_ = written.most_common(1)
        wanted = " or ".join(known)
        return (
            f"the language is {item.language}, written in {wanted}, and the transcript {text!r} is in {script}; "
            "correct one of the two"
        )
    return ""


def _language(text: str, item: Utterance) -> str:
    if other := other_language(text, item.language):
        return (
            f"the language is {item.language}, and the transcript {text!r} is in {other} by its small words; correct "
            "one of the two"
        )
    return ""


_LOOKS: tuple[Callable[[str, Utterance], str], ...] = (
    *(_stands_for_none, _is_file_name, _unsaid, _misread, _references, _escapes, _times, _tags, _speakers),
    *(_invisible, _lookalikes, _script, _language),
)
