"""Chatwoot's socket, `/cable`: what happens at the desk, told in the protocol of Rails' Action Cable."""
