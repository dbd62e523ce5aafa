"""A VGG that says of a patch whether a nodule lies in its middle, swept over the lungs."""
