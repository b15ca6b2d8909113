"""The parts of bench/revocation.py that run inside the product's settings."""
