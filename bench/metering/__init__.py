"""The parts of bench/usage.py: the events, the processes that ingest them, and what is asked of the ledger after it."""
