"""Chi's segmenter: a U-Net whose decoder levels are dense blocks."""
