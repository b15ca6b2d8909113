"""How Millrace is started, on one machine and on many."""
