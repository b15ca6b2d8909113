"""The parts of `python -m bench.engine`: what is asked, the ways of answering it, and what is read from the answers."""
