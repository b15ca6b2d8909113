"""Privacy for programs and scripts."""

from apps.privacy.api.processing import DataView, RetentionView, TermView
from apps.privacy.api.requests import ErasurePreviewView, ErasuresView, ErasureView, ExportsView, ExportView

__all__ = [
    "DataView",
    "ErasurePreviewView",
    "ErasureView",
    "ErasuresView",
    "ExportView",
    "ExportsView",
    "RetentionView",
    "TermView",
]
