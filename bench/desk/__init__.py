"""The parts of bench/support.py: the desk that it measures, and its visitors."""
