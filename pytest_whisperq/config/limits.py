"""The options that are limits of gates; a part of `options.OPTIONS`."""

from pytest_whisperq.config import values
from pytest_whisperq.config.values import Option

LIMITS: tuple[Option, ...] = (
    Option(
        name="max-drop",
        metavar="POINTS",
        parse=values.Range(-100, 100, "a number of percentage points from -100 to 100, such as 1.0"),
        default="1.0",
        help="accuracy: largest tolerated drop of accuracy, in percentage points",
    ),
    Option(
        name="min-exact-match",
        metavar="RATE",
        parse=values.Range(0, 1, "a rate from 0 up to, not including, 1, such as 0.80 for 80 %", never=1),
        help="parity: smallest tolerated share of utterances with the baseline's very text (default: none, it is only "
        "reported; the longer utterances are, the fewer keep it)",
    ),
    Option(
        name="max-divergence",
        metavar="RATE",
        parse=values.Range(0, 1, "a rate above 0, up to 1, such as 0.05 for 5 %", never=0),
        default="0.05",
        help="parity: largest tolerated error rate against the baseline's text",
    ),
    Option(
        name="max-recall-drop",
        metavar="POINTS",
        parse=values.Range(-100, 100, "a number of percentage points from -100 to 100, such as 2.0"),
        default="2.0",
        help="terms, entities: largest tolerated drop of their recall, in percentage points",
    ),
    Option(
        name="max-false-alarms",
        metavar="POINTS",
        parse=values.Range(-100, 1000, "a number of points from -100 to 1000, such as 2.0"),
        help="terms, entities: largest tolerated rise of those that nobody said, in points of those that are said "
        "(default: none, it is only reported)",
    ),
    Option(
        name="max-catastrophes",
        metavar="RATE",
        parse=values.Range(0, 1, "a rate above 0, up to 1, such as 0.02 for 2 %", never=0),
        default="0.02",
        help="catastrophe: largest tolerated share of newly catastrophic utterances",
    ),
    Option(
        name="min-language-agreement",
        metavar="RATE",
        parse=values.Range(0, 1, "a rate from 0 up to, not including, 1, such as 0.95 for 95 %", never=1),
        default="0.95",
        help="language: smallest tolerated share of utterances in which both models detect the same language",
    ),
    Option(
        name="max-translation-drop",
        metavar="POINTS",
        parse=values.Range(-100, 100, "a number of points from -100 to 100, such as 1.0"),
        default="1.0",
        help="translation: largest tolerated drop of chrF, or BLEU, of what is translated into English, in points",
    ),
    Option(
        name="max-size-ratio",
        metavar="RATIO",
        parse=values.Range(0, 10, "a ratio above 0, up to 10: 0.5 is half the baseline's size", never=0),
        help="size: largest tolerated share of the baseline's bytes on disk (default: 0.5 for a precision of 8 bits or "
        "fewer, such as int8, 1.1 for others)",
    ),
    Option(
        name="max-memory-ratio",
        metavar="RATIO",
        parse=values.Range(0, 10, "a ratio above 0, up to 10: 0.5 is half the baseline's memory", never=0),
        default="1.25",
        help="memory: largest tolerated share of the baseline's peak memory, runtime included",
    ),
    Option(
        name="min-speedup",
        metavar="RATIO",
        parse=values.Range(0, 1000, "a ratio above 0, up to 1000: 1.2 is a fifth faster", never=0),
        help="speedup: how many times as fast as its baseline a candidate has to be (default: 1.0; by the suite the "
        "embedded model is only held to it where int8 is known to be faster)",
    ),
    Option(
        name="max-energy-ratio",
        metavar="RATIO",
        parse=values.Range(0, 100, "a ratio above 0, up to 100: 0.8 is a fifth less", never=0),
        help="energy: largest tolerated share of what the same backend at float32 takes: processor seconds, and joules "
        "where the machine tells them (default: 1.0; the suite gates the embedded model only if it is given)",
    ),
    Option(
        name="timing-budget",
        metavar="SECONDS",
        parse=values.Range(0, 3600, "a number of seconds above 0, up to 3600, such as 20", never=0),
        default="20",
        help="speedup, energy: how long a stage may be timed until its verdict is clear, in seconds; up to four times "
        "as long until it has as many rounds as any verdict needs",
    ),
    Option(
        name="max-shift",
        metavar="SECONDS",
        parse=values.Range(0, 30, "a number of seconds above 0, up to 30, such as 0.2", never=0),
        default="0.5",
        help="timestamps: what 95 of 100 segment and word times must stay within, in seconds from the same "
        "backend's at float32",
    ),
    Option(
        name="max-wer-gap",
        metavar="POINTS",
        parse=values.Range(-100, 100, "a number of percentage points from -100 to 100, such as 3.0"),
        default="3.0",
        help="streaming: largest tolerated loss of accuracy by streaming, in percentage points against the same model "
        "offline",
    ),
    Option(
        name="max-commit-lag",
        metavar="SECONDS",
        parse=values.Range(0, 3600, "a number of seconds above 0, up to 3600, such as 5", never=0),
        help="streaming: how soon 95 of 100 words that are committed must be so, in seconds after they were said, "
        "computing included (default: a window and a hop, which is as long as the merge waits: 7)",
    ),
)
