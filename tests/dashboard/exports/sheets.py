"""A workbook read as a spreadsheet would calculate it, but with exact decimals: the few functions that we write."""

import io
import re
from decimal import Decimal
from typing import Any

import openpyxl
from openpyxl.workbook import Workbook

EXACT = {"L": "O", "M": "P", "N": "Q"}
_RANGE = re.compile(r"Lines!\$([A-Z])\$(\d+):\$[A-Z]\$(\d+)")


class Sheets:
    """Formulas, the values that they carry, and what they give when calculated anew."""

    def __init__(self, content: bytes) -> None:
        self.formulas: Workbook = openpyxl.load_workbook(io.BytesIO(content))
        self.values: Workbook = openpyxl.load_workbook(io.BytesIO(content), data_only=True)

    def line(self, title: str) -> int:
        column = self.formulas["Summary"]["A"]
        return next(cell.row for cell in column if str(cell.value or "").strip() == title)

    def exact(self, title: str) -> str:
        return str(self.formulas["Summary"].cell(self.line(title), 3).value)

    def calculated(self, title: str) -> Decimal:
        return self._value("Summary", f"B{self.line(title)}")

    def carried(self, title: str) -> float:
        return float(self.values["Summary"].cell(self.line(title), 2).value)

    def _value(self, sheet: str, cell: str) -> Decimal:
        content = self.formulas[sheet][cell].value
        if isinstance(content, str) and content.startswith("="):
            return self._formula(sheet, content[1:])
        return Decimal(str(content or 0))

    def _formula(self, sheet: str, text: str) -> Decimal:
        if text.startswith("SUMIFS("):
            summed, tested, wanted = text[len("SUMIFS(") : -1].split(",")
            pairs = zip(self._range(summed), self._range(tested), strict=True)
            return sum((amount for amount, name in pairs if name == wanted.strip('"')), Decimal(0))
        if text.startswith("SUM(Lines!"):
            return sum(self._range(text[4:-1]), Decimal(0))
        if text.startswith("SUM("):
            return sum((self._value(sheet, cell) for cell in self._cells(text[4:-1])), Decimal(0))
        if "/" in text:
            over, under = text.split("/")
            return self._value(sheet, over) / self._value(sheet, under)
        terms = re.findall(r"([+-]?)([A-Z]+\d+)", text)
        return sum(((-1 if sign == "-" else 1) * self._value(sheet, cell) for sign, cell in terms), Decimal(0))

    def _cells(self, text: str) -> list[str]:
        if ":" not in text:
            return text.split(",")
        first, last = text.split(":")
        return [f"{chr(letter)}{first[1:]}" for letter in range(ord(first[0]), ord(last[0]) + 1)]

    def _range(self, text: str) -> list[Any]:
        found = _RANGE.fullmatch(text)
        assert found is not None, text
        column = EXACT.get(found[1], found[1])
        cells = [self.formulas["Lines"][f"{column}{row}"].value for row in range(int(found[2]), int(found[3]) + 1)]
        return [Decimal(cell or 0) for cell in cells] if found[1] in EXACT else cells
