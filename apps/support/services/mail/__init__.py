"""Mail of the desk: servers set up, mails taken in, placed in conversations, and answers sent."""
