"""The audit trail: recording acts, saying them in sentences, proving that nobody has changed the past."""

from apps.accounts.audit.recording import record, record_installation, system

__all__ = ["record", "record_installation", "system"]
