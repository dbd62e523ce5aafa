"""A VGG with batch norm."""
