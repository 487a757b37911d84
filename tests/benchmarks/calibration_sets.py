"""What int8-ptq makes of random calibration sets: ``python tests/benchmarks/calibration_sets.py CHECKPOINT CORPUS``.

Draws sets of 12, 14 … 50 clips from a part of the corpus, builds with each, and judges the builds on other clips. A row
tells what was left in float32, the least SQNR of a block, the share of greedy tokens that are float32's on clips of the
set, and the error rate on the others. Where a layer is left in float32, the row before it is of the build without.
``--encoder`` leaves the decoder in float32, which halves the time. Rows are kept in ``--results`` as they come; those
that are there are printed and not computed again.
"""

import argparse
import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from pytest_whisperq.backends import Clip, _generate, _openvino_layers, _openvino_ptq, _whisper
from pytest_whisperq.backends.openvino import _model_class, _options
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.measuring.scores import error_rate, score
from pytest_whisperq.session import Session
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import Utterance, shuffled

COUNTS = tuple(range(12, 51, 2))
LEAST_OF_LAYER = _openvino_ptq.LEAST_OF_LAYER
BATCH = 10
HEAD = (
    "| clips | encoder in float32 | decoder in float32 | least SQNR, dB | tokens as float32's, % | error rate, % "
    "| divergence, % | CPU, s |\n|--:|---|---|--:|--:|--:|--:|--:|"
)

Row = dict[str, Any]


class Bench:
    """A float32 model, the clips that it may be calibrated on, and those on which builds are judged."""

    def __init__(self, options: argparse.Namespace) -> None:
        named = {
            "whisperq_model": options.checkpoint,
            "whisperq_corpus": options.corpus,
            "whisperq_cache_dir": options.cache_dir,
            "whisperq_candidate": "openvino:float32",
        }
        self.session = Session(resolve({name: value for name, value in named.items() if value}))
        artifact = self.session.build("openvino", "float32")
        self.model = _model_class().from_pretrained(artifact.directory, compile=False, ov_config=_options("f32"))
        self.encoder, self.decoder = self.model.encoder.model, self.model.decoder.model
        self.front_end = _whisper.FrontEnd(artifact.directory)
        corpus = self.session.corpus
        items = [item for place in shuffled(corpus, 0) if (item := corpus.utterances[place]).is_speech]
        self.judged, self.pool = items[: options.judged], items[options.judged :][: options.pool]
        self.alphas: list[float] = [float(part) for part in options.smooth_quant.split(",")]
        self.is_whole = not options.encoder
        self.first: list[Utterance] = []
        self._heard: dict[str, _openvino_ptq.Heard] = {}

    def rows(self, items: Sequence[Utterance]) -> Iterator[Row]:
        """Build with one calibration set, and judge what is built: without the guard too, where that finds anything."""
        compared = items[:: max(1, len(items) // _openvino_ptq.CHECKED)][: _openvino_ptq.CHECKED]
        checked = self._hear(compared)
        clips = self._hear(items) if self.is_whole else [self._only_sound(item) for item in items]
        begin = time.process_time()
        with mock.patch.object(_openvino_ptq, "LEAST_OF_LAYER", -math.inf):
            row, noisy = self._build(clips, checked)
        yield {**row, "seconds": time.process_time() - begin}
        if noisy:
            begin = time.process_time()
            row, _ = self._build(clips, checked)
            yield {**row, "seconds": time.process_time() - begin, "is_guarded": True}

    def _build(
        self, clips: Sequence[_openvino_ptq.Heard], checked: Sequence[_openvino_ptq.Heard]
    ) -> tuple[Row, dict[str, float]]:
        encoder = _openvino_ptq.quantize_encoder(self.encoder, clips, checked, self.alphas[0])
        parts, sounds = {"encoder": encoder}, encoder.compared.quantized
        if self.is_whole:
            parts["decoder"] = _openvino_ptq.quantize_decoder(self.decoder, clips, checked, self.alphas[1], sounds)
            decoder, share = parts["decoder"].model, _openvino_ptq.agreement(parts["decoder"], checked)
        else:
            decoder, share = self.decoder, self._agreement(checked, sounds)
        ratios = {name: part.compared for name, part in parts.items()}
        noisy: dict[str, float] = {}
        for compared in ratios.values():
            noisy |= compared.layers.below(LEAST_OF_LAYER)
        row = {
            "agreement": share,
            **self.judge(encoder.model, decoder),
            "left": {name: part.left for name, part in parts.items()},
            "layers": {name: compared.layers.ratios for name, compared in ratios.items()},
            "blocks": {name: compared.blocks.ratios for name, compared in ratios.items()},
            "outputs": {name: compared.outputs.ratios for name, compared in ratios.items()},
        }
        return row, noisy

    def judge(self, encoder: Any, decoder: Any) -> Row:
        """Return what two parts say about the judged clips.

        And their error rate and divergence from the first that were judged, in percent.
        """
        self._replace(encoder, decoder)
        texts = []
        for start in range(0, len(self.judged), BATCH):
            clips = [clip_of(item) for item in self.judged[start : start + BATCH]]
            texts += [said.text for said in _generate.short(self.model, self.front_end, clips)]
        self.first = self.first or [
            item._replace(reference=text) for item, text in zip(self.judged, texts, strict=True)
        ]
        return {"rate": self._rate(self.judged, texts), "divergence": self._rate(self.first, texts), "texts": texts}

    def _rate(self, items: Sequence[Utterance], texts: Sequence[str]) -> float | None:
        scores = (
            score(item, text, self.session.normalizer, self.session.metric)
            for item, text in zip(items, texts, strict=True)
        )
        return error_rate(list(scores))

    def _agreement(self, checked: Sequence[_openvino_ptq.Heard], sounds: Sequence[Any]) -> tuple[int, int]:
        """Return the share of float32's tokens that the float32 decoder says behind the int8 encoder."""
        decoder, same = _openvino_layers.Watched(self.decoder, _openvino_layers.outputs), []
        for clip, sound in zip(checked, sounds, strict=True):
            said = []
            for heard in (clip.plain["encoder_hidden_states"], sound):
                decoder.run({**clip.plain, "encoder_hidden_states": heard})
                said.append(decoder.value("output logits").argmax(axis=-1)[0, clip.prompt - 1 :])
            same.append(said[0] == said[1])
        return sum(int(row.sum()) for row in same), sum(map(len, same))

    def _hear(self, items: Sequence[Utterance]) -> list[_openvino_ptq.Heard]:
        """Return what the parts are fed for each clip, which float32 hears once."""
        missing = [item for item in items if item.id not in self._heard]
        self._replace(self.encoder, self.decoder)
        clips = list(map(clip_of, missing))
        for item, heard in zip(missing, _openvino_ptq.hear(self.model, self.front_end, clips), strict=True):
            self._heard[item.id] = heard
        return [self._heard[item.id] for item in items]

    def _only_sound(self, item: Utterance) -> _openvino_ptq.Heard:
        """Return what the encoder is fed for a clip; float32 need not hear it."""
        features = self.front_end.features([clip_of(item)])
        return _openvino_ptq.Heard(sound={"input_features": features}, plain={}, stamped={}, prompt=0)

    def _replace(self, encoder: Any, decoder: Any) -> None:
        self.model.replace_ov_model(self.model.encoder.model, encoder)
        self.model.replace_ov_model(self.model.decoder.model, decoder)
        self.model.compile()


def saying(items: Sequence[Utterance], texts: Sequence[str]) -> list[Utterance]:
    """Return utterances with other references."""
    return [item._replace(reference=text) for item, text in zip(items, texts, strict=True)]


def clip_of(item: Utterance) -> Clip:
    """Read a clip."""
    return Clip(samples=audio.load(item.audio), language=item.language)


def line_of(count: int, row: Row) -> str:
    """Return a row of the table."""
    left = [", ".join(part) or "none" for part in row["left"].values()]
    least = min(ratio for ratios in row["blocks"].values() for ratio in ratios.values())
    same, total = row["agreement"]
    cells = [count, *left, *(["all"] if len(left) == 1 else [])]
    cells += [
        f"{least:.1f}",
        f"{100 * same / total:.1f}",
        f"{100 * row['rate']:.2f}",
        f"{100 * row['divergence']:.2f}",
    ]
    cells += [f"{row['seconds']:.0f}"]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", help="a folder, or whisperq-micro")
    parser.add_argument("corpus", help="a corpus, or embedded")
    parser.add_argument("--results", type=Path, default=Path("calibration_sets.jsonl"))
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)), help="clips of each set")
    parser.add_argument("--seed", type=int, default=0, help="which sets are drawn")
    parser.add_argument("--judged", type=int, default=30)
    parser.add_argument("--pool", type=int, default=80, help="clips that sets are drawn from")
    parser.add_argument("--smooth-quant", default="0.5,0.95")
    parser.add_argument("--encoder", action="store_true", help="leave the decoder in float32")
    parser.add_argument("--cache-dir", default="")
    options = parser.parse_args()
    kept = [json.loads(line) for line in options.results.read_text().splitlines()] if options.results.exists() else []
    what = [options.checkpoint, options.corpus, options.judged, options.pool, options.smooth_quant, options.encoder]
    bench = None
    with mock.patch.object(_openvino_ptq, "LEAST_OF_PART", -math.inf):
        for count in (0, *map(int, options.counts.split(","))):
            key = [*what, options.seed, count] if count else [*what[:3]]
            rows = [row for row in kept if row["key"] == key]
            if not rows:
                with _whisper.quiet_libraries():
                    bench = bench or Bench(options)
                    for row in kept:
                        if row["key"] == what[:3]:
                            bench.first = saying(bench.judged, row["texts"])
                    if count:
                        drawn = random.Random(1000 * options.seed + count).sample(bench.pool, count)
                        rows = [{"key": key, **row} for row in bench.rows(drawn)]
                    else:
                        rows = [{"key": key, **bench.judge(bench.encoder, bench.decoder)}]
                with options.results.open("a") as file:
                    file.writelines(f"{json.dumps(row)}\n" for row in rows)
            for row in rows:
                print(line_of(count, row) if count else f"float32: {100 * row['rate']:.2f} %\n\n{HEAD}", flush=True)


if __name__ == "__main__":
    main()
