"""A capsule whose length says how real an image is."""
