"""The one training loop: checkpoints, state, seeds, logs, loss monitor."""
