"""Documents of strangers as rows of blocks: looked at by content, and parsed in a child process with bounds."""

from ml.text.extraction.bounded import Bounds, extract
from ml.text.extraction.types import Extracted, Kind, Refusal, Refused

__all__ = ["Bounds", "Extracted", "Kind", "Refusal", "Refused", "extract"]
