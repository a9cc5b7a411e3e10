"""The conformance checks of `dqn`, its slots and its variants.

`CHECKS` apply to every composition with `dqn`. The other checks apply only where a variant returns them from its hook
`conformance_checks`. A plugin of your own adds its checks in the same way as the shipped variants.
"""

from plugins.dqn.conformance.bootstrap import bootstrap_is_a_distribution, selects_with_the_target_network
from plugins.dqn.conformance.gradients import (
    an_update_moves_each_parameter_that_has_a_gradient,
    each_leaf_of_an_observation_is_learnt_from,
    each_parameter_gets_the_gradient_of_the_loss,
)
from plugins.dqn.conformance.heads import (
    a_discount_of_0_lets_nothing_through,
    head_has_one_loss_and_one_priority_for_each_row,
    only_the_taken_action_is_learnt,
    rows_of_a_batch_are_learnt_apart,
    the_given_next_action_is_what_is_bootstrapped,
)
from plugins.dqn.conformance.modes import (
    every_pass_sees_observations_alike,
    learning_is_in_training_mode,
    the_learning_rate_falls_to_its_share_by_the_end,
)
from plugins.dqn.conformance.networks import (
    evaluation_is_in_evaluation_mode,
    images_are_scaled_once,
    networks_ignore_the_global_random_state,
    target_has_no_gradient,
    target_starts_equal_and_apart,
    update_target_moves_parameters_and_buffers,
)
from plugins.dqn.conformance.outputs import (
    stream_gives_its_width_for_each_action,
    torso_gives_the_features_that_it_names,
    values_are_one_number_for_each_action,
)
from plugins.dqn.conformance.scalar import scalar_loss_is_that_of_the_paper, scalar_values_are_the_numbers_of_the_stream
from plugins.dqn.conformance.wiring import (
    a_single_choice_is_the_target,
    next_actions_are_chosen_at_the_next_observation,
    no_gradient_flows_through_what_is_learnt_from,
    the_online_values_of_the_batch_are_learnt,
    the_reward_gains_the_bonus,
    the_target_network_evaluates_the_next_observation,
)

CHECKS = (
    torso_gives_the_features_that_it_names,
    stream_gives_its_width_for_each_action,
    values_are_one_number_for_each_action,
    target_starts_equal_and_apart,
    target_has_no_gradient,
    update_target_moves_parameters_and_buffers,
    images_are_scaled_once,
    evaluation_is_in_evaluation_mode,
    every_pass_sees_observations_alike,
    networks_ignore_the_global_random_state,
    head_has_one_loss_and_one_priority_for_each_row,
    rows_of_a_batch_are_learnt_apart,
    a_discount_of_0_lets_nothing_through,
    only_the_taken_action_is_learnt,
    the_given_next_action_is_what_is_bootstrapped,
    scalar_values_are_the_numbers_of_the_stream,
    scalar_loss_is_that_of_the_paper,
    bootstrap_is_a_distribution,
    selects_with_the_target_network,
    learning_is_in_training_mode,
    the_online_values_of_the_batch_are_learnt,
    the_target_network_evaluates_the_next_observation,
    next_actions_are_chosen_at_the_next_observation,
    the_reward_gains_the_bonus,
    no_gradient_flows_through_what_is_learnt_from,
    each_parameter_gets_the_gradient_of_the_loss,
    each_leaf_of_an_observation_is_learnt_from,
    an_update_moves_each_parameter_that_has_a_gradient,
    a_single_choice_is_the_target,
    the_learning_rate_falls_to_its_share_by_the_end,
)
"""The checks that `dqn` itself returns from its hook `conformance_checks`."""
