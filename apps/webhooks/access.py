"""What one may do with events and with what they are sent to."""

from __future__ import annotations

EVENTS, MANAGE = "events:read", "webhooks:manage"
# What the result of a job holds may be read with this alone, also where it is seen as a message.
RESULTS = "generations:read"
