"""The U-Net of Ronneberger 2015, as MONAI builds it."""
