"""The parts of bench/product.py, each a process of its own."""
