"""Generations over HTTP: the REST API with server-sent events, and the OpenAI-compatible one."""
