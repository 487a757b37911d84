"""Every option once: command-line flag, ini key, default, help and docs are all derived from this table.

Loaded by every pytest run that has the plugin installed, so it imports nothing but the standard library.
"""

from pytest_whisperq.config import conditions, values
from pytest_whisperq.config.choices import METRICS
from pytest_whisperq.config.limits import LIMITS
from pytest_whisperq.config.outputs import OUTPUTS
from pytest_whisperq.config.values import Option
from pytest_whisperq.system.devices import CPU, DEVICES

OPTIONS: tuple[Option, ...] = (
    Option(
        name="backend",
        metavar="NAME[,NAME]",
        parse=values.names,
        help="backends to gate: ctranslate2, faster-whisper, faster-whisper-batched, onnxruntime, openvino, "
        "openvino-genai, openvino-stateless, transformers, whispercpp, or all (those that are installed and can run "
        "the model, less faster-whisper-batched, openvino-genai and openvino-stateless); without it (or candidate) no "
        "gate runs",
    ),
    Option(
        name="precision",
        metavar="ID[,ID]",
        parse=values.names,
        help="precisions to gate on each backend, or all that this machine executes, less simulated "
        "ones and codebooks (default: int8; int8-ptq for openvino, int8-dynamic for onnxruntime and transformers, q8_0 "
        "for whispercpp)",
    ),
    Option(
        name="candidate",
        metavar="BACKEND:PRECISION[,…]",
        parse=values.names,
        is_path=True,
        is_path_after_at=True,
        help="explicit pairs to gate, instead of backend and precision; BACKEND[:PRECISION]@LOCATION is a model that "
        "somebody else has converted, gated as it lies in a folder, or on the hub (OWNER/NAME)",
    ),
    Option(
        name="allow-fallback",
        metavar="",
        parse=values.switch,
        default="false",
        is_switch=True,
        help="let a precision that this machine cannot execute run as what it falls back to, and show it as such",
    ),
    Option(
        name="model",
        metavar="MODEL",
        parse=values.text,
        default="whisperq-micro",
        is_path=True,
        help="the Whisper checkpoint to quantize: a directory, a hub id OWNER/NAME[@REVISION], the embedded model, or "
        "random:whisper-tiny and the like, true sizes with random weights, for speed, size and memory",
    ),
    Option(
        name="baseline",
        metavar="BACKEND[:PRECISION][@MODEL]",
        parse=values.text,
        default="transformers:float32",
        is_path=True,
        is_path_after_at=True,
        help="what candidates are judged against, but by speedup and longform (the same backend at float32, where it "
        "has it) and streaming (the same model offline)",
    ),
    Option(
        name="corpus",
        metavar="PATH",
        parse=values.text,
        default="embedded",
        is_path=True,
        has_splits=True,
        help="recordings with transcripts: a folder or file in a layout that is known (audiofolder, texts beside "
        "recordings, LibriSpeech, Common Voice, Kaldi, NeMo and others), or a hub id OWNER/NAME[:CONFIG][@SPLIT]",
    ),
    Option(
        name="corpus-root",
        metavar="DIR",
        parse=values.text,
        is_path=True,
        help="a folder that recordings of a corpus may lie in besides the corpus's own: by absolute paths, by .., by "
        "links (as in DVC, git-annex and the hub's cache), or relative to it (as in Kaldi's recipes)",
    ),
    Option(
        name="audio-column",
        metavar="NAME",
        parse=values.text,
        help="the column that names the recordings (default: file_name, audio_filepath, audio, path and others)",
    ),
    Option(
        name="text-column",
        metavar="NAME",
        parse=values.text,
        help="the column of transcripts, or the tier of a TextGrid (default: text, transcription, sentence or "
        "transcript)",
    ),
    Option(
        name="language-column",
        metavar="NAME",
        parse=values.text,
        help="the column of languages, by code or English name (default: language, lang, locale or lang_id)",
    ),
    Option(
        name="language",
        metavar="LANG",
        parse=values.text,
        help="the language of utterances that state none, by code or English name; others keep theirs (default: the "
        "model detects it)",
    ),
    Option(
        name="long-form",
        metavar="PATH",
        parse=values.text,
        default="embedded",
        is_path=True,
        help="recordings of minutes: a manifest that lists their utterances with offset and duration in seconds",
    ),
    Option(
        name="merge-profile",
        metavar="FILE",
        parse=values.text,
        is_path=True,
        help="streaming: what the merge of windows counts on, and the contract of merges tests (JSON, as "
        "whisperq stream writes it; default: measured of the float32 model)",
    ),
    Option(
        name="calibration",
        metavar="PATH",
        parse=values.text,
        is_path=True,
        has_splits=True,
        help="recordings on which int8-ptq measures activations, in any form a corpus has; none may be evaluated on "
        "(default: the embedded prompts for an embedded model, for another one clips of the corpus, set aside)",
    ),
    Option(
        name="calibration-samples",
        metavar="N",
        parse=values.whole(1, "a whole number, 1 or more"),
        help="utterances of the calibration set that are used, a seeded, stratified subset (default: 32; of a corpus "
        "of which clips are set aside, a third at most)",
    ),
    Option(
        name="smooth-quant",
        metavar="ENCODER,DECODER",
        parse=values.two_alphas,
        default="0.50,0.95",
        help="SmoothQuant strengths of int8-ptq, each from 0 (activations keep outliers) to 1 (weights take them over)",
    ),
    Option(
        name="ignored-blocks",
        metavar="BLOCK[,BLOCK]",
        parse=values.blocks,
        help="blocks that every candidate leaves in float32, such as encoder.layers.3, encoder.input or "
        "decoder.output; for candidates of openvino that are quantized here",
    ),
    Option(
        name="diagnose",
        metavar="",
        parse=values.switch,
        default="false",
        is_switch=True,
        help="after the gates, say which blocks of each candidate quantization damages, on the calibration set, and "
        "gate its accuracy again with those in float32; for candidates of openvino that are quantized here",
    ),
    Option(
        name="max-utterances",
        metavar="N",
        parse=values.whole(1, "a whole number, 1 or more"),
        help="gate on a seeded, stratified subset of the corpus, of a hub id on the first rows of some shards "
        "(default: all of it)",
    ),
    Option(
        name="shard",
        metavar="K/N",
        parse=values.shard,
        help="decode shard K of N of the corpus and judge nothing: whisperq merge, or a run with the same cache, "
        "judges all of them",
    ),
    Option(
        name="merge",
        metavar="FILE[,FILE]",
        parse=values.names,
        is_path=True,
        help="saved shards of this run, all of them: judge what they have transcribed, and transcribe no more",
    ),
    Option(
        name="normalizer",
        metavar="NAME",
        parse=values.text,
        help="whisper-basic, whisper-english, by-language, identity, wer-standardize or one of your own; NAME@1 is "
        "Whisper's as published (default: whisper-english when every utterance is English; by-language when "
        "transcripts have combining marks, such as vowel signs, which whisper-basic blanks out; else whisper-basic)",
    ),
    Option(
        name="substitutions",
        metavar="FILE",
        parse=values.text,
        is_path=True,
        help="a TOML or GLM file of what counts as the same: spelling variants, abbreviations, a glossary; transcripts "
        "and what models say go through it before the normalizer",
    ),
    Option(
        name="metric",
        metavar="METRIC",
        parse=values.one_of(*METRICS),
        help="what accuracy, parity, longform and streaming count: wer, words; cer, characters; or mer, words where "
        "spaces part them and characters where none do (default: cer when every language of the corpus is written "
        "without spaces, as zh, ja and th are; wer when none is; mer for a mixture)",
    ),
    Option(
        name="terms",
        metavar="FILE",
        parse=values.text,
        is_path=True,
        help="terms: the product names, drugs, commands and the like that matter, one a line",
    ),
    *LIMITS,
    Option(
        name="limit",
        metavar="CONDITION",
        parse=conditions.checked,
        help="limit: several limits at once, joined by and, or and brackets, such as "
        f"'{conditions.EXAMPLE}'; a quantity is called as its option without max- or min-",
    ),
    Option(
        name="on-inconclusive",
        metavar="WHAT",
        parse=values.one_of("fail", "skip", "extend"),
        default="fail",
        help="when a gate cannot tell: fail, skip (green, but named), or extend (decode more of the corpus)",
    ),
    Option(
        name="waivers",
        metavar="FILE",
        parse=values.text,
        is_path=True,
        help="a TOML file of gates that may fail until a date: id, reason and expires of each",
    ),
    Option(
        name="early-stop",
        metavar="true|false",
        parse=values.switch,
        default="true",
        help="stop decoding a candidate whose accuracy has failed beyond doubt; false decodes the whole corpus always",
    ),
    Option(
        name="bounds",
        metavar="TEST",
        parse=values.one_of("t", "sign-flip", "mapsswe"),
        default="t",
        help="accuracy: the test behind its bounds: t (clustered, with a pseudo-clip), sign-flip (likewise, "
        "without the normal distribution) or mapsswe (NIST's, on segments of utterances, taken as independent); "
        "long-form gates always use t",
    ),
    Option(
        name="confidence",
        metavar="LEVEL",
        parse=values.Range(0.5, 1, "a level from 0.5 up to, not including, 1, such as 0.95", never=1),
        default="0.95",
        help="one-sided confidence of every bound",
    ),
    Option(
        name="device",
        metavar="DEVICE",
        parse=values.one_of(*DEVICES),
        default=CPU,
        help="what all models of the run compute on: cpu, or cuda, the first GPU that CUDA sees, for ctranslate2, "
        "faster-whisper, faster-whisper-batched and transformers; without a GPU that is a skip, or for a pair that is "
        "named an error, and never the CPU",
    ),
    Option(
        name="engine",
        metavar="ENGINE",
        parse=values.engine,
        default="process",
        help="who decodes the corpus: process, this one; ray, the Ray cluster of RAY_ADDRESS, or one that is started "
        "here. ray://auto is the one on this machine, ray://HOST:PORT one elsewhere. All else is measured here",
    ),
    Option(
        name="threads",
        metavar="N",
        parse=values.whole(1, "a whole number, 1 or more"),
        help="threads a model may use (default: the processor quota, shared among xdist workers)",
    ),
    Option(
        name="decode-batch",
        metavar="N",
        parse=values.whole(1, "a whole number, 1 or more"),
        default="16",
        help="utterances decoded at once",
    ),
    Option(
        name="seed",
        metavar="N",
        parse=values.whole(0, "a whole number, 0 or more"),
        default="0",
        help="seed of subsets, of the order in which a candidate is heard, of sign-flips and of what is timed in which "
        "order; the same seed gives the same verdict, but of speed and memory, which are measured anew",
    ),
    Option(
        name="cache-dir",
        metavar="DIR",
        parse=values.text,
        is_path=True,
        creates=True,
        help="where built models and transcripts are kept (default: the platform's cache directory)",
    ),
    *OUTPUTS,
)
