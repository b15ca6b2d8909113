"""Tables of strangers (CSV, XLSX, JSON lines) as rows of texts, read in a child process with bounds."""

from ml.text.tables.bounded import read
from ml.text.tables.types import Bounds, Refused, Row, Table

__all__ = ["Bounds", "Refused", "Row", "Table", "read"]
