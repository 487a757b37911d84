"""What the plugin costs beside bare loops: ``python tests/benchmarks/harness_cost.py [--clips N] [--backend NAME]``.

Decoding: a corpus through the plugin (audio checked and digested, weights verified, transcripts written) against a bare
batched loop over the library itself, both loading the model, in interleaved rounds. Gate: a whole parity and accuracy
gate against the procedure of the notebooks: decode all clips with the original, then with the quantized model, one by
one, time encoder, decoder and pipeline of each in a pass of its own, then score; each in fresh processes, in turns.
``--sizes`` and ``--gated-model`` take checkpoints, too, with ``--corpus`` what they hear. Models are built beforehand,
transcripts are not. Where getting memory from the system takes a fifth of the time and makes most of its noise, as in
some virtual machines, MALLOC_MMAP_THRESHOLD_=4294967296 and MALLOC_TRIM_THRESHOLD_=17179869184 in the environment have
glibc keep it, for both sides.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import jiwer

from pytest_whisperq.backends import Clip, get_backend
from pytest_whisperq.backends._whisper import quiet_libraries
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.measuring.contention import ProcessorState
from pytest_whisperq.measuring.timing import measure, rounds
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.speech import audio


def start(cache: Path, clips: int, **options: str) -> GateRunner:
    """Return a run that has built its models and decoded nothing."""
    typed = {"cache_dir": str(cache), "max_utterances": str(clips), "early_stop": "false", **options}
    run = GateRunner(resolve({f"whisperq_{name}": value for name, value in typed.items()}))
    shutil.rmtree(cache / "transcripts", ignore_errors=True)
    for index in cache.glob("audio-*.jsonl"):
        index.unlink()
    for spec in (run.session.baseline_spec, run.session.spec(run.config.candidates[0])):
        run.session.store.get(spec)
    return run


def bare(run: GateRunner, spec: ModelSpec) -> None:
    """Decode the corpus of a run as one would with the library alone, told the language."""
    directory, threads, batch = run.session.store.get(spec).directory, run.config.threads, run.config.decode_batch
    with quiet_libraries():
        from transformers import WhisperFeatureExtractor, WhisperTokenizer

        extractor, tokenizer = (one.from_pretrained(directory) for one in (WhisperFeatureExtractor, WhisperTokenizer))
        decode = LIBRARIES[spec.backend](directory, threads, tokenizer)
        items = run.session.corpus.utterances
        for chosen in (items[first : first + batch] for first in range(0, len(items), batch)):
            sounds = [audio.load(item.audio) for item in chosen]
            features = extractor(sounds, sampling_rate=audio.SAMPLE_RATE, return_tensors="pt").input_features
            said = decode(features, [item.language or "en" for item in chosen])
            tokenizer.batch_decode(said, skip_special_tokens=True)


Decode = Callable[[Any, list[str]], Any]
"""What a library makes of features, shape (clips, mels, 3000), and languages: ids."""


def with_ctranslate2(directory: Path, threads: int, tokenizer: Any) -> Decode:
    """Batch after batch through CTranslate2, without timestamps."""
    import ctranslate2

    model = ctranslate2.models.Whisper(str(directory), device="cpu", intra_threads=threads)
    ids = tokenizer.convert_tokens_to_ids
    first = ids("<|notimestamps|>") + 1

    def decode(features: Any, languages: list[str]) -> Any:
        prompts = [
            ids(["<|startoftranscript|>", f"<|{one}|>", "<|transcribe|>", "<|notimestamps|>"]) for one in languages
        ]
        heard = model.encode(ctranslate2.StorageView.from_array(features.numpy()))
        found = model.generate(heard, prompts, beam_size=1, suppress_tokens=[-1, *range(first, first + 1501)])
        return [one.sequences_ids[0] for one in found]

    return decode


def with_generate(directory: Path, threads: int, tokenizer: Any, *, openvino: bool = False) -> Decode:
    """Batch after batch through transformers' ``generate``, or Optimum's."""
    import torch
    from transformers import WhisperForConditionalGeneration

    if openvino:
        from optimum.intel import OVModelForSpeechSeq2Seq

        hints = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        model: Any = OVModelForSpeechSeq2Seq.from_pretrained(directory, ov_config=hints)
    else:
        torch.set_num_threads(threads)
        model = WhisperForConditionalGeneration.from_pretrained(directory, dtype="auto")
    return lambda features, languages: model.generate(
        features.to(model.dtype), language=languages, task="transcribe", max_new_tokens=224
    )


LIBRARIES: dict[str, Callable[[Path, int, Any], Decode]] = {
    "ctranslate2": with_ctranslate2,
    "openvino": partial(with_generate, openvino=True),
    "transformers": with_generate,
}


def decoding(cache: Path, clips: int, count: int, options: dict[str, str]) -> str:
    """Return how much longer the plugin takes to decode, with the bounds that ``count`` rounds give."""
    first = start(cache, clips, **options)
    spec = first.session.spec(first.config.candidates[0])

    def through_the_plugin(_: int) -> None:
        start(cache, clips, **options).session.transcripts(spec)

    # A machine's other users disturb rounds of seconds nearly always; the order and the t test have to do.
    done = []
    for one in islice(rounds(lambda _: bare(first, spec), through_the_plugin, 1, 0, state=ProcessorState), count):
        done.append(one)
        print(f"round {len(done)} of {count}: {one}", file=sys.stderr, flush=True)
    found = measure(done, confidence=0.95).speedup
    low, value, high = (100 * (1 / part - 1) for part in (found.upper, found.value, found.lower) if part)
    return f"{value:+.1f} % ({low:+.1f} … {high:+.1f})"


class Stopped:
    """Adds up where time goes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Any:
        """Count what happens inside as ``name``."""
        since = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - since


def notebook(run: GateRunner) -> Stopped:
    """Follow the notebooks' procedure; return where the time went."""
    spent, items = Stopped(), run.session.corpus.speech
    said: list[list[str]] = []
    for spec in (run.session.baseline_spec, run.session.spec(run.config.candidates[0])):
        with quiet_libraries():
            with spent("load"):
                artifact = run.session.store.get(spec)
                model: Any = get_backend(spec.backend).load(spec.precision, artifact.directory, run.config.threads)
            clips = [Clip(samples=audio.load(item.audio), language=item.language) for item in items]
            with spent("decode"):
                found = [model.transcribe([clip])[0] for clip in clips]
            said.append([one.text for one in found])
            features = [model.prepare(clip) for clip in clips]
            with spent("time the encoder"):
                heard = [model.encode(one) for one in features]
            with spent("time the decoder"):
                for sound, clip, one in zip(heard, clips, found, strict=True):
                    if one.tokens:
                        model.replay(sound, clip, one.tokens)
            with spent("time the pipeline"):
                for clip in clips:
                    model.transcribe([clip])
    with spent("score"):
        references = [run.session.normalizer(item.reference, item.language) for item in items]
        for texts in said:
            jiwer.wer(
                references,
                [run.session.normalizer(text, item.language) for text, item in zip(texts, items, strict=True)],
            )
    return spent


def gate(run: GateRunner) -> Stopped:
    """Judge parity and accuracy; return where the time went."""
    spent, (candidate,) = Stopped(), run.config.candidates
    with spent("read and check audio"):
        _ = run.session.recordings.facts
    for name, spec in (("baseline", run.session.baseline_spec), ("candidate", run.session.spec(candidate))):
        with spent(f"load and decode the {name}"):
            run.session.transcripts(spec)
    with spent("score and judge"):
        run.judge("parity", candidate)
        run.judge("accuracy", candidate)
    return spent


PROCEDURES: dict[str, Callable[[GateRunner], Stopped]] = {"notebook": notebook, "gate": gate}


def procedure(name: str, cache: Path, clips: int, options: dict[str, str]) -> None:
    """Follow one procedure in this process, and print where the time went."""
    run = start(cache, clips, **options)
    for model in (run.session.baseline, run.session.model(run.config.candidates[0])):  # imports are nobody's
        get_backend(model.spec.backend).load(model.spec.precision, model.artifact.directory, run.config.threads)
    fresh = GateRunner(run.config)
    print(json.dumps(PROCEDURES[name](fresh).seconds))


def gating(cache: Path, clips: int, options: dict[str, str]) -> None:
    """Print what both procedures take, each in fresh processes, in turns."""
    start(cache, clips, **options)  # builds the models
    totals: dict[str, list[float]] = {name: [] for name in PROCEDURES}
    parts: dict[str, dict[str, float]] = {}
    for name in ("notebook", "gate", "gate", "notebook"):
        command = [sys.executable, __file__, *sys.argv[1:], "--one", name, str(cache)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        parts[name] = json.loads(done.stdout.splitlines()[-1])
        totals[name].append(sum(parts[name].values()))
    for name, seconds in totals.items():
        told = ", ".join(f"{part} {value:.1f}" for part, value in parts[name].items())
        print(f"{name}: {' and '.join(f'{one:.1f}' for one in seconds)} s; the last: {told}", flush=True)
    share = sum(totals["gate"]) / sum(totals["notebook"])
    told = f"{clips} clips, {options['candidate']} of {options['model']}"
    print(f"{told}: the gate takes {share:.2f} of the notebook's time")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", default="auto", help="of decoding")
    parser.add_argument("--backend", default="ctranslate2:int8")
    parser.add_argument("--sizes", nargs="*", default=["whisperq-micro", "random:whisper-tiny"])
    parser.add_argument("--gated", default="openvino:int8-ptq")
    parser.add_argument("--gated-model", default="whisperq-micro")
    parser.add_argument("--corpus", default="embedded")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.backend.partition(":")[0] not in LIBRARIES or args.backend == "transformers:int8-dynamic":
        parser.error(f"--backend: {args.backend} cannot be run by its library alone; one of {', '.join(LIBRARIES)} can")
    heard = {"corpus": args.corpus, "threads": args.threads}
    gated = {**heard, "model": args.gated_model, "candidate": args.gated}
    if args.one:
        procedure(args.one[0], Path(args.one[1]), args.clips, gated)
        return
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        for model in args.sizes:
            clips = args.clips if model == "whisperq-micro" else max(args.clips // 4, 5)
            pair = {"candidate": args.backend, "baseline": args.backend}
            longer = decoding(cache, clips, args.rounds, {**heard, **pair, "model": model})
            print(f"{model}, {clips} clips on {args.backend}: the plugin takes {longer} longer", flush=True)
        gating(cache, args.clips, gated)


if __name__ == "__main__":
    main()
