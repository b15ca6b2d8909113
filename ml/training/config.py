"""Configuration of a training run: frozen, validated, every field documented."""

from dataclasses import dataclass


class ConfigError(ValueError):
    """A training configuration that makes no sense."""


def _positive(**values: float) -> None:
    for name, value in values.items():
        if value <= 0:
            raise ConfigError(f"{name} must be positive, not {value}")


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Shape of the Llama model; embeddings are tied."""

    vocab_size: int = 4096
    """Tokens, special ones included."""
    hidden_size: int = 256
    """Width of the residual stream."""
    layers: int = 6
    """Transformer blocks."""
    heads: int = 4
    """Attention heads; must divide hidden_size."""
    feed_forward: int = 704
    """Inner width of the gated feed-forward layer."""
    context: int = 1024
    """Longest sequence in tokens."""

    def __post_init__(self) -> None:
        _positive(
            vocab_size=self.vocab_size, hidden_size=self.hidden_size, layers=self.layers, heads=self.heads,
            feed_forward=self.feed_forward, context=self.context,
        )  # fmt: skip
        if self.hidden_size % self.heads:
            raise ConfigError(f"heads ({self.heads}) must divide hidden_size ({self.hidden_size})")


@dataclass(frozen=True, slots=True)
class StageConfig:
    """One stage of training: either pre-training or fine-tuning."""

    steps: int
    """Optimizer updates."""
    batch: int
    """Sequences in a batch: packed rows in pre-training, conversations in fine-tuning."""
    peak_lr: float
    """Highest learning rate, reached after the warm-up."""
    warmup: int = 50
    """Updates over which the rate rises linearly from 0."""
    decay: float = 0.2
    """Last share of the updates, over which the rate falls linearly to final_lr_share (warmup-stable-decay)."""
    final_lr_share: float = 0.1
    """What is left of peak_lr at the end."""
    weight_decay: float = 0.05
    """Decoupled decay of matrices; norms and embeddings are left out."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    seed: int = 0
    """Seed of the data and of the initial weights."""
    log_every: int = 10
    """Updates between two lines of the log."""
    save_every: int = 200
    """Updates between two checkpoints."""

    def __post_init__(self) -> None:
        _positive(
            steps=self.steps, batch=self.batch, peak_lr=self.peak_lr, clip=self.clip,
            log_every=self.log_every, save_every=self.save_every,
        )  # fmt: skip
        if not 0 <= self.decay <= 1 or not 0 <= self.final_lr_share <= 1:
            raise ConfigError("decay and final_lr_share must be between 0 and 1")
        if self.warmup < 0 or self.weight_decay < 0:
            raise ConfigError("warmup and weight_decay must not be negative")

    def learning_rate(self, step: int) -> float:
        """Return the rate of update `step`, counted from 0."""
        if step < self.warmup:
            return self.peak_lr * (step + 1) / self.warmup
        decay_steps = max(1, round(self.steps * self.decay))
        left = (self.steps - step) / decay_steps
        return self.peak_lr * (self.final_lr_share + (1 - self.final_lr_share) * min(1.0, left))
