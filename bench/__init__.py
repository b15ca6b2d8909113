"""One script per figure that the README quotes; `make bench` runs them all."""
