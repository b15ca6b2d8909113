"""The parts of bench/console.py: each fills an organization's tables and names the pages to ask for."""
