"""Writes what a run leaves behind, from its document."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_whisperq import audio
from pytest_whisperq._files import output_error, replace_text
from pytest_whisperq.collect import Collector
from pytest_whisperq.export import export
from pytest_whisperq.gates.judging import WORST
from pytest_whisperq.report import document as documents
from pytest_whisperq.report.html import render, worst
from pytest_whisperq.report.markdown import summary
from pytest_whisperq.verdict import Verdict

MOST_AUDIO = 10_000_000
"""Bytes of recordings in a report, encoded."""

_REPORT = "--whisperq-report"


class Publisher:
    """Writes the outputs that a run's options ask for."""

    def __init__(self, collector: Collector) -> None:
        self._run = collector.run
        self._collector = collector

    @cached_property
    def _document(self) -> dict[str, Any]:
        return self._collector.document()

    def publish(self) -> list[str]:
        """Write everything and return lines that say what is where; raise `StoreError` for what cannot be written.

        Of a run that was cut short nothing is exported: gates that would have failed may not have run. A run that did
        not pass does not replace one that it is compared with.
        """
        config, lines = self._run.config, []
        if config.report:
            lines.append(self._report(config.report))
        if config.save and self._replaces_accepted(config.save):
            lines.append(f"not saved: {config.save} is compared with, and this run ended {self._document['verdict']}")
        elif config.save:
            documents.write(self._document, config.save, "--whisperq-save")
            lines.append(f"saved {config.save}; compare a later run with --whisperq-compare {config.save}")
        if config.export and self._collector.is_cut:
            lines.append("not exported: the run was cut short, and gates may be missing")
        elif config.export:
            lines += export(self._collector, self._document, config.export)
        return lines

    def _replaces_accepted(self, save: Path) -> bool:
        accepted = {path.resolve() for path in self._run.config.compare}
        return save.resolve() in accepted and self._document["verdict"] != Verdict.PASS.value

    def _report(self, folder: Path) -> str:
        document = self._document
        clips, note = self._clips(document)
        documents.write(document, folder / "report.json", _REPORT)
        text = summary(document)
        replace_text(folder / "summary.md", text, _REPORT)
        replace_text(folder / "report.html", render(document, clips, note), _REPORT)
        if step := os.environ.get("GITHUB_STEP_SUMMARY"):
            try:
                with Path(step).open("a", encoding="utf-8") as file:
                    file.write(text)
            except OSError as error:
                raise output_error(Path(step), "GITHUB_STEP_SUMMARY", error) from error
        return f"report {folder / 'report.html'}, report.json, summary.md"

    def _clips(self, document: Mapping[str, Any]) -> tuple[dict[str, bytes], str]:
        """Return recordings as FLAC, the most telling first, as many as fit, and a note about those that do not."""
        which = self._run.config.report_audio
        if which == "none":
            return {}, ""
        items = {item.id: item for item in self._run.corpus.utterances}
        wanted = worst(document, WORST if which == "worst" else None)
        scrubbed = dict(zip((row["id"] for row in document["utterances"]), items, strict=True))
        clips: dict[str, bytes] = {}
        for name in wanted:
            data = audio.as_flac(audio.load(items[scrubbed[name]].audio))
            if sum(map(len, clips.values())) + len(data) > MOST_AUDIO:
                left = len(wanted) - len(clips)
                return clips, f"{left} recordings are left out: the page holds {MOST_AUDIO // 10**6} MB of sound."
            clips[name] = data
        return clips, ""
