"""Chatwoot's account API: programs of the desk call it with a key, and agent bots with their token."""
