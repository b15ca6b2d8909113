"""Cells of CSV files, which people open in spreadsheets."""

from __future__ import annotations

# What begins like this is run as a formula (OWASP: CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe(cell: str) -> str:
    """The cell's text, which no spreadsheet takes for a formula; also not behind leading blanks."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell
