"""Pages of privacy."""

from apps.privacy.views.consents import consent
from apps.privacy.views.own import my_data, my_erasure
from apps.privacy.views.processing import notice, processing, set_term
from apps.privacy.views.requests import download, erase_member, request_export, requests

__all__ = [
    "consent",
    "download",
    "erase_member",
    "my_data",
    "my_erasure",
    "notice",
    "processing",
    "request_export",
    "requests",
    "set_term",
]
