"""Keep what candidates got wrong on a corpus as counts: ``record_disagreements.py REPORT … [--models NAME,NAME]``.

Reads documents of ``--whisperq-save`` and writes ``disagreements.jsonl`` beside this file, which real_gate.py reads:
one line a clip with its reference words, the errors of the baseline and those of each candidate, under a number for its
cluster. No text is kept. The first line says where the clips and the models come from. How the documents were made, on
sentences of LibriSpeech (OpenSLR 12, CC BY 4.0) and OpenAI's tiny.en (MIT):

    pytest suites/test_accuracy.py --whisperq-model tiny.en --whisperq-corpus librispeech --whisperq-early-stop=false
        --whisperq-candidate ctranslate2:int8,openvino:int8,openvino:int8-ptq,openvino:int4-sym --whisperq-save REPORT

and the same for openvino:int8-ptq with ``--whisperq-calibration embedded``. ``--models`` takes some of a large run.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from pytest_whisperq.history.document import CANDIDATE

TARGET = Path(__file__).with_name("disagreements.jsonl")
ORIGIN = "sentences of LibriSpeech (OpenSLR 12, CC BY 4.0); OpenAI's tiny.en (MIT)"


def main() -> None:
    """Read, merge by clip and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", type=Path)
    parser.add_argument("--models", type=lambda typed: typed.split(","), help="these candidates; all of them")
    options = parser.parse_args()
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in options.reports]
    clips: dict[str, dict[str, Any]] = {}
    numbers: dict[str, int] = {}
    models: dict[str, Any] = {}
    for document in documents:
        for name, model in document["models"].items():
            if options.models and model["role"] == CANDIDATE and name not in options.models:
                continue
            label = _label(name, model)
            models[label] = {key: model[key] for key in ("identity", "compute_type", "versions") if key in model}
            for row in document["utterances"]:
                if not row["errors"] or name not in row["errors"]:
                    continue
                number = numbers.setdefault(row["cluster"], len(numbers))
                clip = clips.setdefault(row["clip"], {"cluster": number, "words": row["length"], "errors": {}})
                clip["errors"][label] = row["errors"][name]
    settings = documents[0]["settings"]
    header = {
        "origin": ORIGIN,
        "normalizer": settings["normalizer"],
        "cpu": documents[0]["environment"]["cpu"],
        "models": models,
    }
    lines = [header, *sorted(clips.values(), key=lambda clip: clip["cluster"])]
    TARGET.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    print(f"{len(clips)} clips of {len(numbers)} clusters, models {', '.join(models)}")


def _label(name: str, model: dict[str, Any]) -> str:
    """Return the name of a model, with its calibration where that is not the corpus's own."""
    calibration = model.get("calibration", "")
    other = "" if "set aside" in calibration else calibration.partition(",")[0]
    return f"{name} {other}".strip().removesuffix(" (baseline)")


if __name__ == "__main__":
    main()
