"""Keep what candidates got wrong on a corpus as counts: ``python tests/benchmarks/record_disagreements.py REPORT …``.

Reads documents of ``--whisperq-save`` and writes ``disagreements.jsonl`` beside this file, which real_gate.py reads:
one line a clip with its reference words, the errors of the baseline and those of each candidate, under a number for its
cluster. No text is kept. The first line says where the clips and the models come from. How the documents were made, on
sentences of LibriSpeech (OpenSLR 12, CC BY 4.0) and OpenAI's tiny.en (MIT):

    pytest suites/test_accuracy.py --whisperq-model tiny.en --whisperq-corpus librispeech --whisperq-early-stop=false
        --whisperq-candidate ctranslate2:int8,openvino:int8,openvino:int4-sym --whisperq-save REPORT

and the same for openvino:int8-ptq, with and without ``--whisperq-calibration embedded``.
"""

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).with_name("disagreements.jsonl")
ORIGIN = "sentences of LibriSpeech (OpenSLR 12, CC BY 4.0); OpenAI's tiny.en (MIT)"


def main(names: list[str]) -> None:
    """Read, merge by clip and write."""
    documents = [json.loads(Path(name).read_text(encoding="utf-8")) for name in names]
    clips: dict[str, dict[str, Any]] = {}
    numbers: dict[str, int] = {}
    models: dict[str, Any] = {}
    for document in documents:
        for name, model in document["models"].items():
            label = _label(document, name)
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


def _label(document: dict[str, Any], name: str) -> str:
    """Return the name of a model, with its calibration where that is not the corpus's own."""
    named = document["settings"].get("calibration")
    return f"{name} calibrated on {named}" if named and name.endswith("-ptq") else name


if __name__ == "__main__":
    main(sys.argv[1:])
