"""A capsule network as Wasserstein critic."""
