"""What one may do with the organization's knowledge."""

from __future__ import annotations

READ, WRITE = "knowledge:read", "knowledge:write"
