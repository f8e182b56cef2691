"""MLA: one shared head, and a projector that is recursive least squares."""

from __future__ import annotations

import torch

from igmsweep.methods.mla import project
from igmsweep.train import Training


def test_mlas_projector_forgets_the_directions_it_has_seen():
    p = torch.eye(6, dtype=torch.float64)
    seen = torch.randn(3, 6, dtype=torch.float64)
    for _ in range(50):
        for z in seen:
            p = project(p, z, 1e-4)
    assert (p @ seen.T).norm() < 1e-2 * seen.norm()
    assert torch.allclose(p, p.T)
    values = torch.linalg.eigvalsh(p)
    assert values.min() > -1e-9
    assert values.max() < 1 + 1e-9
    # recursive least squares is the inverse of a regularised sum of outer products
    z, regulariser = seen[0], 0.1
    direct = torch.linalg.inv(torch.eye(6, dtype=torch.float64) + torch.outer(z, z) / regulariser)
    assert torch.allclose(project(torch.eye(6, dtype=torch.float64), z, regulariser), direct)


def test_mla_shares_one_head(toy_config):
    training = Training(toy_config(3, "mla"))
    assert not training.model.heads
    assert training.model.joint is not None
    assert len(list(training.model.joint.children())) == 1  # a single linear layer, as in MLA
