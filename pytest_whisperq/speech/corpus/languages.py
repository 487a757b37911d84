"""Languages as corpora name them → the codes that Whisper's tokens spell."""

import re
from collections import Counter
from dataclasses import replace
from functools import lru_cache

from pytest_whisperq.speech.corpus.types import Corpus, Utterance, keep_utterances

OPTION = "--whisperq-language"

_NAMES = """
af afrikaans, am amharic, ar arabic, as assamese, az azerbaijani, ba bashkir, be belarusian, bg bulgarian, bn bengali,
bo tibetan, br breton, bs bosnian, ca catalan, cs czech, cy welsh, da danish, de german, el greek, en english,
es spanish, et estonian, eu basque, fa persian, fi finnish, fo faroese, fr french, gl galician, gu gujarati, ha hausa,
haw hawaiian, he hebrew, hi hindi, hr croatian, ht haitian creole, hu hungarian, hy armenian, id indonesian,
is icelandic, it italian, ja japanese, jw javanese, ka georgian, kk kazakh, km khmer, kn kannada, ko korean, la latin,
lb luxembourgish, ln lingala, lo lao, lt lithuanian, lv latvian, mg malagasy, mi maori, mk macedonian, ml malayalam,
mn mongolian, mr marathi, ms malay, mt maltese, my myanmar, ne nepali, nl dutch, nn nynorsk, no norwegian, oc occitan,
pa punjabi, pl polish, ps pashto, pt portuguese, ro romanian, ru russian, sa sanskrit, sd sindhi, si sinhala,
sk slovak, sl slovenian, sn shona, so somali, sq albanian, sr serbian, su sundanese, sv swedish, sw swahili, ta tamil,
te telugu, tg tajik, th thai, tk turkmen, tl tagalog, tr turkish, tt tatar, uk ukrainian, ur urdu, uz uzbek,
vi vietnamese, yi yiddish, yo yoruba, yue cantonese, zh chinese,
my burmese, es castilian, nl flemish, ca valencian, ps pushto, pa panjabi, ro moldavian, si sinhalese, zh mandarin,
zh mandarin chinese, yue cantonese chinese, tl filipino, mi māori, ms malaysian
"""
"""The names of openai/whisper's tokenizer (LANGUAGES, TO_LANGUAGE_CODE), and those of FLEURS that differ."""

_CODES = {name: code for code, _, name in (entry.partition(" ") for entry in " ".join(_NAMES.split()).split(", "))}
_ALIASES = {"cmn": "zh", "fil": "tl", "in": "id", "iw": "he", "jv": "jw", "mo": "ro", "nb": "no"}
"""Codes of ISO 639 for which Whisper has another."""


@lru_cache(maxsize=1024)
def language_code(value: str) -> str | None:
    """Return the code of a language that is given by its code, with or without a country, or by its English name.

    None where it is neither.

    >>> [language_code(name) for name in ("en-US", "cmn_hans_cn", "German", "['en']")]
    ['en', 'zh', 'de', None]
    """
    text = value.strip().lower()
    if text in _CODES:
        return _CODES[text]
    code = re.split("[-_]", text)[0]
    return _ALIASES.get(code, code) if re.fullmatch("[a-z]{2,3}", code) else None


def in_language(corpus: Corpus, language: str) -> Corpus:
    """Return a corpus in which utterances that state no language are in ``language``, by code; others keep theirs.

    What is chosen for utterances, and that some keep another, stands in what the corpus says of itself.
    """
    items = keep_utterances(item if item.language else _in(item, language) for item in corpus.utterances)
    count, chosen = len(items), sum(item.language is None for item in corpus.utterances)
    others = Counter(item.language for item in corpus.utterances if item.language not in (None, language))
    told, notes = list(corpus.told), list(corpus.notes)
    if chosen:
        told.append(f"{chosen} of {count} utterances state no language and are taken to be in {language} ({OPTION})")
    if others:
        listed = ", ".join(f"{name}: {times}" for name, times in others.most_common())
        kept = f"{others.total()} of {count} utterances state another language and keep it ({listed})"
        notes.append(f"{OPTION} is {language}, and {kept}")
    return replace(corpus, utterances=items, told=tuple(told), notes=tuple(notes))


def _in(item: Utterance, language: str) -> Utterance:
    slices = {**dict(item.slices), "language": language}
    return item._replace(language=language, slices=tuple(sorted(slices.items())))
