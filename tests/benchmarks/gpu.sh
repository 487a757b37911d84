#!/usr/bin/env bash
# Gates ctranslate2, faster-whisper and transformers on the first GPU that CUDA sees, in ten minutes at most, and prints
# the figures.
#
#   tests/benchmarks/gpu.sh [MODEL] [CORPUS]      the embedded ones by default; results go to the folder $OUT
#   DEVICE=cpu UTTERANCES=12 tests/benchmarks/gpu.sh      a rehearsal on the CPU
#
# Exit code 2: there is no GPU, or a library does not find it. 124: the time was up. Else that of the worst of pytest's
# runs: 1 where any gate did not pass, which on few clips it may not.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2

model=${1:-whisperq-micro} corpus=${2:-embedded} device=${DEVICE:-cuda} out=${OUT:-${TMPDIR:-/tmp}/whisperq-gpu}
backends=transformers,ctranslate2,faster-whisper
fast=int8-float16,float16
[ "$device" = cpu ] && fast=int8
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
mkdir -p "$out" || exit 2

# CTranslate2 looks for cuBLAS and cuDNN where the system does, and not where pip puts them.
libraries=$(python - <<'PYTHON'
from importlib.util import find_spec
from pathlib import Path

spec = find_spec("nvidia")
print(":".join(str(path) for root in (spec.submodule_search_locations if spec else ()) for path in Path(root).glob("*/lib")))
PYTHON
) || exit 2
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

python - "$device" "$backends" <<'PYTHON' || exit 2
import sys

from pytest_whisperq.backends import devices, get_backend
from pytest_whisperq.system.machine import described

device, names = sys.argv[1], sys.argv[2].split(",")
lacking = [f"{name}: {reason}" for name in names if (reason := devices.lacking(get_backend(name), device))]
print("\n".join(lacking) or f"on {described(device)}")
sys.exit(bool(lacking))
PYTHON

worst=0
# Runs pytest in what is left of the time; $1 names what it leaves behind.
run() {
    local name=$1 left=$((570 - SECONDS)) code
    shift
    [ "$left" -gt 5 ] || { worst=124; echo "no time is left for $name"; return; }
    echo "=== $name, after $SECONDS s"
    timeout --kill-after=10 "$left" python -m pytest -p no:cacheprovider -rs --whisperq-device "$device" \
        --whisperq-backend "$backends" --whisperq-model "$model" --whisperq-corpus "$corpus" \
        --whisperq-cache-dir "$out/cache" --whisperq-early-stop false --whisperq-save "$out/$name.json" "$@" 2>&1 |
        tee "$out/$name.txt"
    code=${PIPESTATUS[0]}
    [ "$code" -gt "$worst" ] && worst=$code
}

run quality suites --whisperq-precision all --whisperq-max-utterances "${UTTERANCES:-200}"
run speed suites/speed.py --whisperq-precision "$fast" --whisperq-max-utterances 24 --whisperq-timing-budget 4
run others suites/determinism.py suites/timestamps.py --whisperq-precision "$fast" --whisperq-max-utterances 24
run refused suites/memory.py suites/energy.py --whisperq-precision "$fast" --whisperq-max-utterances 8

python - "$out" <<'PYTHON'
import json
import sys
from pathlib import Path

for name in ("quality", "speed", "others", "refused"):
    path = Path(sys.argv[1], f"{name}.json")
    if not path.is_file():
        continue
    document = json.loads(path.read_text(encoding="utf-8"))
    print(f"\n{name} on {document['environment'].get('gpu', document['environment']['cpu'])}")
    for gate in (one["judgement"] for one in document["gates"]):
        who = f"{gate['candidate']} (runs {gate['compute_type']}) against {gate['baseline'] or 'itself'}"
        for check in gate["checks"]:
            bounds = f"{check['value']} ({check['lower']} … {check['upper']})"
            print(f"  {who}: {check['name']} {bounds} {check['unit']}: {check['verdict']}")
        for figure in gate["figures"]:
            print(f"  {who}: {figure['name']} {figure['baseline']} → {figure['value']}")
    for test in document["broken"]:
        print(f"  {test['test']} {test['outcome']}: {test['message']}")
PYTHON
echo "done after $SECONDS s"
exit "$worst"
