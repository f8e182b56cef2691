"""Joint training against its equations in plain float64."""

from __future__ import annotations

import numpy as np
import pytest
from plain import SGD, Net, agree, batches, slope, tiny_training, train_to_the_end, weights_of

EPOCHS = 3


@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_concat_is_cross_entropy_of_one_head_on_all_features(toy_config, modalities, weight):
    """L = CE(W [z_1 .. z_M] + b, y) + weight sum_m CE(l_m, y)."""
    method = {"name": "joint", "fusion": "concat", "unimodal_weight": weight}
    training = tiny_training(toy_config(modalities, method, stages__cycles=1, stages__epochs=EPOCHS, model__head=[]))
    net = Net(weights_of(training))
    sgd = SGD(net)
    names = training.config.modalities
    for epoch in range(EPOCHS):
        for batch in batches(training, epoch):
            z = {m: net.encode(m, batch.x[m]) for m in names}
            joined = np.concatenate([z[m] for m in names], axis=1)
            grads: dict[str, np.ndarray] = {}
            dz = net.head_back("joint", joined, slope(net.head("joint", joined), batch.y), grads)
            parts = dict(zip(names, np.split(dz, len(names), axis=1), strict=True))
            for m in names:
                if weight:
                    dl = weight * slope(net.head(f"heads.{m}", z[m]), batch.y)
                    parts[m] = parts[m] + net.head_back(f"heads.{m}", z[m], dl, grads)
                net.encode_back(m, batch.x[m], z[m], parts[m], grads)
            sgd.step(grads)
    train_to_the_end(training)
    agree(training, net.w)


def test_sum_is_cross_entropy_of_the_summed_logits(toy_config):
    """L = CE(sum_m l_m, y), l_m = W_m z_m + b_m."""
    training = tiny_training(toy_config(2, "joint", stages__cycles=1, stages__epochs=EPOCHS, model__head=[]))
    net = Net(weights_of(training))
    sgd = SGD(net)
    for epoch in range(EPOCHS):
        for batch in batches(training, epoch):
            z = {m: net.encode(m, batch.x[m]) for m in ("m0", "m1")}
            dl = slope(net.head("heads.m0", z["m0"]) + net.head("heads.m1", z["m1"]), batch.y)
            grads: dict[str, np.ndarray] = {}
            for m in ("m0", "m1"):
                net.encode_back(m, batch.x[m], z[m], net.head_back(f"heads.{m}", z[m], dl, grads), grads)
            sgd.step(grads)
    train_to_the_end(training)
    agree(training, net.w)
