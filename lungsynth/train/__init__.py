"""The one training loop: segments, state, seeds, logs, loss monitor."""
