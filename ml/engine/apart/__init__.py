"""Engines in processes of their own.

An engine's thread needs Python's lock many times in a step, and whatever else a worker does, streaming, settling,
looking for work, holds it meanwhile. In a process of its own the engine shares nothing with them but the machine.
"""

from ml.engine.apart.parent import ApartEngine

__all__ = ["ApartEngine"]
