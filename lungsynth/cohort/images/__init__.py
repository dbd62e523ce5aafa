"""A folder of pictures, one sub-folder a class."""
