"""A small convolutional extractor."""
