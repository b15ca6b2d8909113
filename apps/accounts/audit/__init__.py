"""The audit trail: recording acts, saying them in sentences, proving that nobody has changed the past."""

from apps.accounts.audit.recording import lock_heads, record, record_installation, system

__all__ = ["lock_heads", "record", "record_installation", "system"]
