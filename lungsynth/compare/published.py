"""What Chi 2023 reports for the systems that a comparison runs again, and why ours may differ (FACTS 1.3, 1.4)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reported:
    """A row of a paper's table: inception score and FID."""

    name: str
    inception_score: float
    fid: float


TABLES = {
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
NAMES = {"nodules": "Chi 2023, Table II", "lungs": "Chi 2023, Table III"}
REASONS = {
    "fid": "the paper's features, images and their preparation are not stated: compare the order",
    "inception_score": "at most the number of the classifier's classes, and the paper's is not stated",
}
