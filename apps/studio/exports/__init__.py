"""Documents as files. No Django in here: what takes long runs in a process of its own (`child`)."""
