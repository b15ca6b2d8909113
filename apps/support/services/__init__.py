"""Every write of the support desk, by what it is about: each module's functions read as `messages.reply(…)`."""
