"""What the engine computes on a processor beside matrix products: norms, rotary positions, attention over the cache."""
