"""Resolve constraints.txt and constraints-lowest.txt anew, with uv: ``tox run -e lock``.

Both are made for Python 3.11 (3.11.5 and later) on Linux x86-64. What constraints.txt pins stays: ``--upgrade`` and
``--upgrade-package NAME`` move what is below its mark, and a pin above it is moved by hand.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ["--python-version", "3.11.5", "--python-platform", "x86_64-manylinux_2_28"]
MARK = "# What these bring, resolved by: tox run -e lock\n"
LOWEST = """\
# The lowest versions of what pyproject.toml names, and what they bring; tox run -e lowest installs them.
# Resolved by: tox run -e lock
"""
CUDA = re.compile(r"(nvidia|cuda)-|triton\b")
"""What torch's builds for CUDA require and those for the CPU do not."""


def hand_written(constraints: str) -> str:
    """Return the pins above the mark, with their reasons."""
    head, mark, _ = constraints.partition(MARK)
    if not mark:
        raise SystemExit(f"constraints.txt has lost its line {MARK!r}")
    return head


def pins(constraints: str) -> dict[str, str]:
    """Return version by normalized name."""
    found = re.findall(r"^([\w.-]+)==([^\s;+]+)", constraints, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def rest(resolved: str, head: str = "") -> str:
    """Return what was resolved beside ``head``, a pin a line, without CUDA and without the label of a build."""
    known = pins(head)
    return "".join(
        f"{name}=={version}\n" for name, version in pins(resolved).items() if name not in known and not CUDA.match(name)
    )


def resolve(present: str, *options: str) -> str:
    """Return uv's resolution, which keeps the pins of ``present`` where it can."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "resolved.txt")
        output.write_text(present, encoding="utf-8")
        command = ["uv", "pip", "compile", "pyproject.toml", "--all-extras", *TARGET, *options]
        subprocess.run(
            [*command, "--no-header", "--no-annotate", "--quiet", "--output-file", output], check=True, cwd=ROOT
        )
        return output.read_text(encoding="utf-8")


def main(options: list[str]) -> None:
    """Write both files."""
    tested, lowest = ROOT / "constraints.txt", ROOT / "constraints-lowest.txt"
    present = tested.read_text(encoding="utf-8")
    head = hand_written(present)
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text(head, encoding="utf-8")
        groups = "--group", "dev", "--group", "examples"
        found = resolve(present, *groups, "--constraint", str(constraints), *options)
    tested.write_text(head + MARK + rest(found, head), encoding="utf-8")
    # A pin that stays would choose a higher version of what brings it: this is resolved from nothing.
    found = resolve("", "--group", "test", "--resolution", "lowest-direct")
    lowest.write_text(LOWEST + rest(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
