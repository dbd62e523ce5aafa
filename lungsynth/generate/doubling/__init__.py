"""A skeleton that kinds may take: a generator that doubles a small grid until the image is large enough."""
