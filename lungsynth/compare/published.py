"""What Chi 2023 reports for the systems that a comparison runs again, and why ours may differ (FACTS 1.3, 1.4, 3.5)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reported:
    """A row of a paper's table: inception score and FID."""

    name: str
    inception_score: float
    fid: float


@dataclass(frozen=True)
class ReportedDetector:
    """A row of the paper's table of detectors; None where its cell is blank, and stays blank (C6)."""

    name: str
    sensitivity: float
    candidates_per_scan: float | None
    accuracy: float | None


CLAIMED = {
    "nodules": {"inception_score": False, "fid": True},
    "lungs": {"inception_score": False, "fid": True},
    "detectors": {"sensitivity": False, "candidates_per_scan": True, "accuracy": False},
}
"""By comparison, the metrics of the paper's table and whether less is better."""
TABLES = {
    "detectors": {
        "cnn_vgg": ReportedDetector("CNN+VGG", 0.9132, None, 0.9264),
        "faster_rcnn": ReportedDetector("Faster RCNN + 3DDCNN", 0.9354, 15.0, None),
        "unet": ReportedDetector("U-Net", 0.932, 8.0, 0.873),
        "unet_plus_plus": ReportedDetector("U-Net++", 0.897, 32.5, None),
        "dense_unet": ReportedDetector("this method (U-Net + dense)", 0.943, 12.2, 0.963),
    },
    "nodules": {
        "biggan": Reported("BigGAN", 1.6, 233),
        "gan": Reported("GAN", 5.4, 74.2),
        "dcgan": Reported("DCGAN", 5.9, 84.3),
        "wgan": Reported("WGAN", 7.2, 54.5),
        "capsule": Reported("CapsuleNets", 7.5, 102.1),
        "w_capsule": Reported("W-CapsuleGAN", 7.9, 30.2),
    },
    "lungs": {
        "biggan": Reported("BigGAN", 1.3, 418),
        "gan": Reported("GAN", 4.7, 202.9),
        "dcgan": Reported("DCGAN", 6.9, 184.1),
        "wgan": Reported("WGAN", 5.2, 147.7),
        "two stages, refined": Reported("Two-Stages GAN", 12.1, 2.6),
    },
}
NAMES = {"detectors": "Chi 2023, Table I", "nodules": "Chi 2023, Table II", "lungs": "Chi 2023, Table III"}
REASONS = {
    "sensitivity": "LUNA16 in the paper, protocol not given; here each system's point is chosen on tune patients",
    "candidates_per_scan": "the paper's number of segmented nodules, a scan by our reading",
    "accuracy": "not defined in the paper; here the share of a balanced list of places told right at .5",
    "fid": "the paper's features, images and their preparation are not stated: compare the order",
    "inception_score": "at most the number of the classifier's classes, and the paper's is not stated",
}
