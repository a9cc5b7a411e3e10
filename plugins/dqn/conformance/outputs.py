"""Checks of the outputs of torso, stream and head, whichever plugin they come from."""

from __future__ import annotations

import torch

from framework.conformance.check import Cause, check, expect
from framework.conformance.fixtures.batches import A, B
from framework.conformance.subject import Subject
from plugins.dqn.conformance.rig import FEATURES, AffineStream, numbers, rigged


@check("policy", "dqn_torso", Cause("the attribute `features` is not the number of outputs"))
def torso_gives_the_features_that_it_names(subject: Subject) -> None:
    """A torso maps B observations to features [B, `features`], also for B = 1."""
    with rigged(subject) as rig:
        torso = rig.online.torso.eval()
        for rows in (1, B):
            features = torso(rig.tensor(rig.batch().obs[:rows]))
            expect(tuple(features.shape), (rows, torso.features), example=f"the shape of the features of {rows} rows")


@check("policy", "dqn_stream", Cause("the axes of actions and width are swapped", "facebookresearch/ReAgent#256"))
def stream_gives_its_width_for_each_action(subject: Subject) -> None:
    """A stream maps features [B, F] to [B, A, width], and each row depends only on its own features."""
    with rigged(subject) as rig:
        for width in (1, 5):
            stream = rig.stream(width).eval()
            features = rig.normal(B, FEATURES)
            found = stream(features)
            expect(tuple(found.shape), (B, A, width), example=f"the shape of a stream of width {width}, {B} rows")
            alone = torch.cat([stream(features[row : row + 1]) for row in range(B)])
            example = f"{B} rows together, and each alone (width {width})"
            expect(numbers(found), numbers(alone), example=example, atol=rig.tolerance)


@check("policy", "dqn_head", Cause("the values still have an axis of atoms or quantiles"))
def values_are_one_number_for_each_action(subject: Subject) -> None:
    """The `values` of a head and of the whole network have the shape [B, A], in training and in evaluation."""
    with rigged(subject) as rig:
        head = rig.head()
        stream = AffineStream(rig, head.width)
        for training in (True, False):
            values = head.train(training)(rig.normal(B, FEATURES), stream).values
            example = f"the shape of values, training = {training}"
            expect(tuple(values.shape), (B, A), example=example)
            network = rig.online.train(training)(rig.tensor(rig.batch().obs)).values
            expect(tuple(network.shape), (B, A), example=f"{example}, of the network")
