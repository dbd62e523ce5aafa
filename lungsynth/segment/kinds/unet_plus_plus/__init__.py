"""The nested U-Net, U-Net++, of Zhou 2018, as MONAI builds it."""
