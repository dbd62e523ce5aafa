"""The first GAN: two multilayer perceptrons."""
