"""Write what the embedded model says at several precisions: ``python tests/benchmarks/record_transcripts.py``.

One line a clip of speech in ``recorded.jsonl`` (read by planting.py), its first line saying how it was made. Run it
again when the embedded model or corpus changes. Builds and decodes what is not in the cache.
"""

import json
from pathlib import Path
from typing import Any

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.system.machine import cpu_features, versions

CANDIDATES = ("ctranslate2:int8", "openvino:int8", "openvino:int8-ptq", "transformers:int8-dynamic")
PACKAGES = ("ctranslate2", "openvino", "nncf", "optimum-intel", "torch", "transformers")


def main() -> None:
    """Record and say how many texts each candidate changed."""
    run = GateRunner(resolve({"whisperq_candidate": ",".join(CANDIDATES)}))
    before = run.session.transcripts(run.session.baseline_spec).texts
    after = {
        str(candidate): run.session.transcripts(run.session.spec(candidate)).texts
        for candidate in run.config.candidates
    }
    lines: list[dict[str, Any]] = [
        {
            "model": run.session.source.identity,
            "baseline": str(run.session.baseline_spec),
            "candidates": list(after),
            "cpu": cpu_features(),
            "versions": versions(PACKAGES),
        }
    ]
    for number, item in enumerate(run.session.corpus.utterances):
        if item.is_speech:
            said = {name: texts[number] for name, texts in after.items() if texts[number] != before[number]}
            lines.append(
                {
                    "id": item.id,
                    "cluster": item.cluster,
                    "language": item.language,
                    "slices": dict(item.slices),
                    "reference": item.reference,
                    "baseline": before[number],
                    "changed": said,
                }
            )
    target = Path(__file__).with_name("recorded.jsonl")
    target.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    for name in after:
        print(f"{name}: {sum(name in line['changed'] for line in lines[1:])} of {len(lines) - 1} texts changed")


if __name__ == "__main__":
    main()
