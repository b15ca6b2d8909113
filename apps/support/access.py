"""What one may do at the desk."""

from __future__ import annotations

READ, WRITE, MANAGE = "support:read", "support:write", "support:manage"
# To see what was masked, which also takes a reason.
UNMASK = "support:unmask"
