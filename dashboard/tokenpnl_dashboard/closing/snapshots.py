"""Closed months on disk: HOME/closed/2026-10, written whole, read back, and held against what was signed."""

import json
import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from tokenpnl.errors import StoreError
from tokenpnl.tables import RUNS
from tokenpnl_analytics.closing.close import Frozen, differences, manifest, overall_sha256, with_origin
from tokenpnl_analytics.frames import conform
from tokenpnl_dashboard.rules.configuration import Configuration
from tokenpnl_ingest.control import Close

_LINES, _RUNS, _RULES, _MANIFEST = "line_items.parquet", "runs.parquet", "rules", "manifest.json"
_READ_ONLY_FILE, _READ_ONLY_FOLDER, _OWN_FOLDER = 0o400, 0o500, 0o700


@dataclass(frozen=True)
class Snapshot:
    """The folder of one closed month."""

    folder: Path

    def write(self, frozen: Frozen, listed: dict[str, Any]) -> None:
        """Put the month on disk, all of it or nothing, for its owner to read; what is in the way is set aside.

        Args:
            frozen: the content.
            listed: its manifest.

        Raises:
            StoreError: it cannot be written.
        """
        draft = self.folder.with_name(f".{self.folder.name}.{os.getpid()}.tmp")
        try:
            self.folder.parent.mkdir(mode=_OWN_FOLDER, parents=True, exist_ok=True)
            _remove(draft)
            (draft / _RULES).mkdir(mode=_OWN_FOLDER, parents=True)
            frozen.line_items.write_parquet(draft / _LINES, mkdir=False)
            frozen.runs.write_parquet(draft / _RUNS, mkdir=False)
            for name, text in frozen.rules.items():
                (draft / _RULES / name).write_bytes(text.encode())
            (draft / _MANIFEST).write_text(json.dumps(listed, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            _seal(draft)
            self.set_aside()
            draft.rename(self.folder)
            self.folder.chmod(_READ_ONLY_FOLDER)
            _sync(self.folder.parent)
        except OSError as error:
            raise StoreError(f"the closed month cannot be written to {self.folder}: {error}") from error

    def set_aside(self) -> Path | None:
        """Move the folder out of the way, under a name that tells how many there were before; None: there is none."""
        if not self.folder.exists():
            return None
        before = len(list(self.folder.parent.glob(f"{self.folder.name}.reopened-*")))
        aside = self.folder.with_name(f"{self.folder.name}.reopened-{before + 1}")
        self.folder.rename(aside)
        return aside

    @property
    def rules(self) -> Configuration:
        """The rule files as they were at the close."""
        return Configuration(self.folder / _RULES)

    def line_items(self) -> pl.DataFrame:
        """Return the line items as closed, with `origin_period`.

        Raises:
            StoreError: they are missing or cannot be read.
        """
        return with_origin(self._parquet(_LINES))

    def runs(self) -> pl.DataFrame:
        """Return the runs as closed.

        Raises:
            StoreError: they are missing or cannot be read.
        """
        return conform(self._parquet(_RUNS), RUNS)

    def listed(self) -> dict[str, Any]:
        """Return the manifest.

        Raises:
            StoreError: it is missing or no JSON object.
        """
        try:
            told = json.loads((self.folder / _MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StoreError(f"the manifest of {self.folder} cannot be read: {error}") from error
        if not isinstance(told, dict):
            raise StoreError(f"the manifest of {self.folder} is no JSON object")
        return told

    def faults(self, signed: dict[str, Any], signed_sha256: str | None) -> list[str]:
        """Return how the folder differs from what was closed, a sentence each; empty: not by a digit.

        Args:
            signed: the manifest that the control store keeps.
            signed_sha256: its hash, as the audit chain has it.
        """
        if overall_sha256(signed) != signed_sha256:
            return [f"{self.folder.name}: the control store's manifest is not the one that was signed"]
        try:
            listed, frozen = self.listed(), self._frozen()
        except StoreError as error:
            return [str(error)]
        since, until = (datetime.fromisoformat(signed[name]) for name in ("since", "until"))
        found = manifest(frozen, month=signed["month"], since=since, until=until, zone=signed["zone"])
        told = differences(signed, found) + [f"in {_MANIFEST} {each}" for each in differences(signed, listed)]
        unknown = sorted({path.name for path in self.folder.iterdir()} - {_LINES, _RUNS, _RULES, _MANIFEST})
        told += [f"{name} does not belong here" for name in unknown]
        return [f"{self.folder.name}: {sentence}" for sentence in told]

    def _frozen(self) -> Frozen:
        listed = self.listed()
        try:
            texts = {path.name: path.read_bytes().decode() for path in sorted((self.folder / _RULES).iterdir())}
            fx = {currency: Decimal(rate) for currency, rate in listed["fx"].items()}
            return Frozen(self._parquet(_LINES), self._parquet(_RUNS), texts, fx, listed["prices"])
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError, AttributeError) as error:
            raise StoreError(f"{self.folder} cannot be read as a closed month: {error}") from error

    def _parquet(self, name: str) -> pl.DataFrame:
        try:
            return pl.read_parquet(self.folder / name)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise StoreError(f"{self.folder / name} cannot be read: {error}") from error


def verified(closed: Path, step: Close) -> Snapshot:
    """Return the folder of a closed month after its hash was computed again.

    Args:
        closed: where closed months are.
        step: its close.

    Raises:
        StoreError: it is not what was signed.
    """
    snapshot = Snapshot(closed / step.month)
    wrong = snapshot.faults(step.detail, step.snapshot_sha256)
    if wrong:
        raise StoreError(f"{wrong[0]}; nothing is made of it: `tokenpnl close verify` says more")
    return snapshot


def _seal(folder: Path) -> None:
    """Make every file below the folder durable and read-only."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file():
            path.chmod(_READ_ONLY_FILE)
        _sync(path)
        if path.is_dir():
            path.chmod(_READ_ONLY_FOLDER)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    """Remove what a process that died left behind, read-only folders included."""
    if folder.exists():
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir():
                path.chmod(_OWN_FOLDER)
        shutil.rmtree(folder)
