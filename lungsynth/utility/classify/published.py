"""What GIST reports of its three classifiers (FACTS 7.1, its Table 2), in %."""

PAPER = "GIST, Table 2"
NAMES = {"inception": "Inception", "resnet": "ResNet-101", "vgg": "VGG-19"}
VALUES = ("accuracy", "precision", "recall", "f1")
TABLE = {
    "inception": {
        "base": (78.36, 78.43, 78.37, 78.35),
        "gan_train": (65.87, 68.78, 65.87, 64.49),
        "gan_test": (74.03, 76.56, 74.04, 73.41),
    },
    "resnet": {
        "base": (82.69, 83.00, 82.69, 82.65),
        "gan_train": (69.71, 73.77, 69.71, 68.36),
        "gan_test": (65.86, 69.94, 65.86, 64.02),
    },
    "vgg": {
        "base": (82.21, 83.10, 82.21, 82.09),
        "gan_train": (68.27, 73.21, 68.27, 66.48),
        "gan_test": (59.61, 63.54, 59.61, 56.46),
    },
}
