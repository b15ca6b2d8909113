"""Programs of an organization that answer in its inboxes as Chatwoot's agent bots do: set up, told, and let speak."""
