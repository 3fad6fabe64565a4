"""Masks that are void, or hold one class only: trained from and evaluated with open eyes."""

import logging
import shutil

import cv2
import numpy as np
import pytest


@pytest.fixture
def masked(folder_root, tmp_path):
    """A copy of the folder data set, with a function that replaces masks of a video."""
    root = shutil.copytree(folder_root, tmp_path / "set")

    def replace(video, mask, numbers=range(5)):
        for number in numbers:
            cv2.imwrite(str(root / "masks" / video / f"{number}.png"), mask)

    return root, replace


def test_masks_of_black_and_white_are_not_trained_from(fit, masked, tmp_path):
    root, replace = masked
    replace("a", np.where(np.eye(32, 64), 255, 0).astype(np.uint8))
    options = ("--arm", "full", "--data.root", root, "--data.size", "[32,64]", "--data.draws.crop", "[32,64]")
    fit(*options).refused(root, "hold ground and no other class", "write 1 for car")
    assert not list((tmp_path / "runs").glob("*"))


def test_void_masks_are_counted_before_a_training_and_left_out_of_scores(fit, weclick, masked, caplog):
    root, replace = masked
    void = np.full((32, 64), 255, np.uint8)
    replace("a", void, [1, 2])
    replace("b", void, [0])
    options = ("--data.root", root, "--data.size", "[32,64]", "--data.draws.crop", "[32,64]")
    with caplog.at_level(logging.INFO):
        fit("--arm", "full", "--name", "run", *options).done()
    assert caplog.text.count("2 of 5 masks are void (255) everywhere") == 1
    assert "nan" not in weclick("validate", "--run", "run").done().out.lower()
    replace("b", void)
    weclick("validate", "--run", "run").refused("all masks of the val split", "are void everywhere")
