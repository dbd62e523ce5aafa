"""Does it help: what people and classifiers make of the synthetic images."""
