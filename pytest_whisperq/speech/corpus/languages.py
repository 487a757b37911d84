"""Languages as corpora name them → the codes that Whisper's tokens spell."""

import re

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
