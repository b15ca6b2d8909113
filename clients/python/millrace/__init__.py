"""A client for Millrace: every operation of its API, streams that survive their connection, and checked webhooks."""

from millrace.client import AsyncMillrace, Millrace
from millrace.errors import APIError, ConnectionFailed, MillraceError, TextRestarted, TimedOut, UnexpectedAnswer
from millrace.retrying import Retry
from millrace.shapes import Download, Event, Options
from millrace.texts import AsyncTextStream, Delta, Done, Reset, Status, TextStream
from millrace.version import VERSION as __version__
from millrace.webhooks import Received, Webhook, WebhookRefused

__all__ = [
    "APIError",
    "AsyncMillrace",
    "AsyncTextStream",
    "ConnectionFailed",
    "Delta",
    "Done",
    "Download",
    "Event",
    "Millrace",
    "MillraceError",
    "Options",
    "Received",
    "Reset",
    "Retry",
    "Status",
    "TextRestarted",
    "TextStream",
    "TimedOut",
    "UnexpectedAnswer",
    "Webhook",
    "WebhookRefused",
    "__version__",
]
