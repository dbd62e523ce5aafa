"""A convolutional Wasserstein critic with gradient penalty."""
