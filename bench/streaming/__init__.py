"""The parts of bench/streams.py, each a process of its own."""
