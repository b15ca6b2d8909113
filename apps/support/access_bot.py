"""What one may do with the bot and the help centre."""

from __future__ import annotations

# Reading articles, flows, examples and models; writing them; answering for what goes live.
READ, WRITE, APPROVE = "bots:read", "bots:write", "bots:approve"
