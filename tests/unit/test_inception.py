"""InceptionV3 of FID: the published layout, and weights that are opened without executing anything."""

import hashlib
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save

from lungsynth.features import inception
from lungsynth.features.apply import embed
from lungsynth.study.errors import DataError


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return inception.Inception().eval()


def test_the_layout_has_the_published_number_of_weights(network):
    body = sum(value.numel() for name, value in network.named_parameters() if not name.startswith("fc."))
    assert body == 21_785_568
    assert network.fc.weight.shape == (1008, 2048)
    assert network.state_dict()["Mixed_7c.branch3x3dbl_3b.bn.running_var"].shape == (384,)


def test_weights_of_a_file_give_features_of_2048_and_their_hash(network, tmp_path):
    data = save(network.state_dict())
    path = tmp_path / "inception.safetensors"
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    loaded, found = inception.read(path, digest)
    assert found == digest
    images = np.random.default_rng(0).integers(-1000, 200, (2, 40, 40)).astype(np.int16)
    seen = embed(loaded, images)
    assert (seen.features.shape, seen.logits.shape) == ((2, 2048), (2, 1008))
    np.testing.assert_array_equal(seen.features, embed(network, images).features)


def test_another_hash_other_weights_and_pickles_are_refused(tmp_path):
    path = tmp_path / "weights.pt"
    with pytest.raises(DataError, match="cannot be read"):
        inception.read(path, "0" * 64)
    path.write_bytes(b"abc")
    with pytest.raises(DataError, match=r"score\.inception\.sha256"):
        inception.read(path, "0" * 64)
    torch.save({"fc.weight": torch.zeros(1)}, path)
    with pytest.raises(DataError, match="is missing"):
        inception.read(path, hashlib.sha256(path.read_bytes()).hexdigest())
    path.write_bytes(pickle.dumps(print))
    with pytest.raises(DataError, match="cannot be opened"):
        inception.read(path, hashlib.sha256(path.read_bytes()).hexdigest())
