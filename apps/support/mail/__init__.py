"""Mail as such: read, written and carried; nothing here knows the database."""
