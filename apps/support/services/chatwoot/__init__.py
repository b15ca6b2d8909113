"""What programs written for Chatwoot ask of the desk and the desk's own API does not have: their lists and filters,
and contacts' ways into inboxes.
"""
