"""Writes what a run leaves behind, from its document."""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_whisperq.gates.saved_runs import SavedRuns
from pytest_whisperq.history import document as documents
from pytest_whisperq.judging.rule import WORST
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.reporting.build_document import Collector
from pytest_whisperq.reporting.export import export
from pytest_whisperq.reporting.html import ROWS, Table, render, utterance_table, worst
from pytest_whisperq.reporting.markdown import summary
from pytest_whisperq.speech import audio
from pytest_whisperq.system.files import output_error, remove, replace_text

MOST_AUDIO = 4_000_000
"""Bytes of recordings in a report, encoded; in the page they take a third more."""

_REPORT = "--whisperq-report"


class Publisher:
    """Writes the outputs that a run's options ask for."""

    def __init__(self, collector: Collector) -> None:
        self._session = collector.session
        self._collector = collector

    @cached_property
    def _document(self) -> dict[str, Any]:
        return self._collector.document()

    def publish(self) -> tuple[list[str], list[str]]:
        """Write everything; return lines that say what is where, and those of exports that failed.

        Raises `StoreError` for a report or saved run that cannot be written.

        Of a run that was cut short nothing is exported: gates that would have failed may not have run. A run replaces
        one that it is compared with only where every gate passed, accuracy among them.
        """
        config = self._session.config
        lines = [
            f"not compared with {stored.name}: no accuracy gate ran, and there was no speedup to compare; run a test "
            "marked whisperq_accuracy too, such as suites/test_accuracy.py"
            for stored in self._session.once(SavedRuns).stored
            if not self._collector.compared(stored)
        ]
        if config.report:
            lines.append(self._report(config.report))
        if config.save and (why := self._why_kept(config.save)):
            lines.append(f"not saved: {config.save} is compared with, and {why}")
        elif config.save:
            documents.write(self._document, config.save, "--whisperq-save")
            lines.append(f"saved {config.save}; compare a later run with --whisperq-compare {config.save}")
        if config.export and self._collector.is_cut:
            lines.append("not exported: the run was cut short, or tests could not be collected: gates may be missing")
        elif config.export:
            exported, failures = export(self._collector, self._document, config.export)
            return [*lines, *exported], failures
        return lines, []

    def _why_kept(self, save: Path) -> str:
        """Return why this run does not replace a file that it is compared with; "" for any other file."""
        files = zip(self._session.config.compare, self._session.once(SavedRuns).stored, strict=True)
        stored = next((run for path, run in files if path.resolve() == save.resolve()), None)
        if stored is None:
            return ""
        if self._document["verdict"] != Verdict.PASS.value:
            return f"this run ended {self._document['verdict']}"
        for gate in self._document["gates"]:
            if gate["verdict"] not in (Verdict.PASS.value, documents.REPORTED):
                judgement = gate["judgement"]
                name = f"{judgement['gate']}/{judgement['candidate']}"
                return f"{name} ended {gate['verdict']}, waived until {gate['waived_until']}"
        compared = self._collector.compared(stored)
        has_accuracy = any(one.gate == "accuracy" and one.checks for one in stored.judgements)
        is_enough = "accuracy" in compared or (compared and not has_accuracy)
        return "" if is_enough else "no accuracy gate of this run was"

    def _report(self, folder: Path) -> str:
        document = self._document
        table = utterance_table(document, ROWS)
        clips, note = self._clips(table)
        documents.write(document, folder / "report.json", _REPORT)
        text = summary(document)
        replace_text(folder / "summary.md", text, _REPORT)
        replace_text(folder / "report.html", render(document, table, clips, note), _REPORT)
        beside = self._write_utterances(folder / "utterances.jsonl", is_needed=table.count > len(table.rows))
        if step := os.environ.get("GITHUB_STEP_SUMMARY"):
            try:
                with Path(step).open("a", encoding="utf-8") as file:
                    file.write(text)
            except OSError as error:
                raise output_error(Path(step), "GITHUB_STEP_SUMMARY", error) from error
        return f"report {folder / 'report.html'}, report.json, summary.md{', utterances.jsonl' if beside else ''}"

    def _write_utterances(self, path: Path, *, is_needed: bool) -> bool:
        """Write every utterance as a line of JSON where that is needed, for the page has no room for all; say whether.

        What an earlier run left there goes: it would be another run's.
        """
        if not is_needed:
            if path.is_file():
                remove(path)
            return False
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in self._document["utterances"])
        replace_text(path, lines, _REPORT)
        return True

    def _clips(self, table: Table) -> tuple[dict[str, bytes], str]:
        """Return recordings as FLAC, the most telling first, as many as fit, and a note about those that do not."""
        which = self._session.config.report_audio
        if which == "none":
            return {}, ""
        wanted = worst(table, WORST if which == "worst" else None)
        names, rows = set(wanted), zip(self._document["utterances"], self._session.corpus.utterances, strict=True)
        items = {row["id"]: item for row, item in rows if row["id"] in names}
        clips: dict[str, bytes] = {}
        for name in wanted:
            data = audio.as_flac(audio.load(items[name].audio))
            if sum(map(len, clips.values())) + len(data) > MOST_AUDIO:
                left = len(wanted) - len(clips)
                return clips, f"{left} recordings are left out: the page holds {MOST_AUDIO // 10**6} MB of sound."
            clips[name] = data
        return clips, ""
