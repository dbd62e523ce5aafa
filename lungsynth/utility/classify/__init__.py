"""Classifiers trained on real, generated and both: GAN-train and GAN-test (Shmelkov 2018)."""
