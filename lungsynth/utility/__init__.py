"""Does a synthetic set help? Classifiers that learn from it, readers who tell it from real images."""
