"""Licences over REST: for the vendor, and for a licensee's program with its licence key."""
