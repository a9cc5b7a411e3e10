"""Bugs that no part shows alone, or that are found late: the agent does not learn what it should."""

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        name="the_recommended_warm_up_never_ends",
        component="agent",
        row="not in the catalogue: a thousand times too long",
        plugins="tabular,chain",
        module="plugins.tabular",
        old='"learning.starts": 0, "learning.updates_per_step": 1.0',
        new='"learning.starts": 1_000_000, "learning.updates_per_step": 1.0',
    ),
    Mutant(
        name="the_environment_s_actions_are_reversed",
        component="agent",
        row="not in the catalogue: the optimum is of another environment",
        plugins="tabular,chain",
        module="envs.model",
        old="outcomes = self._transitions[self._state][int(action)]",
        new="outcomes = self._transitions[self._state][-1 - int(action)]",
    ),
    Mutant(
        name="weights_decay",
        component="agent",
        row="not in the catalogue: a regulariser that pulls all values to 0",
        plugins="dqn,chain",
        module="plugins.dqn",
        old="adam = torch.optim.Adam(policy.online.parameters(), options.learning_rate,",
        new="adam = torch.optim.AdamW(policy.online.parameters(), options.learning_rate, weight_decay=5.0,",
    ),
    Mutant(
        name="observations_do_not_reach_the_network",
        component="policy",
        row="not in the catalogue: every state is state 0",
        plugins="dqn,chain",
        module="plugins.dqn.networks",
        old="functional.one_hot(obs.long(), self.features)",
        new="functional.one_hot(obs.long() * 0, self.features)",
    ),
    Mutant(
        name="values_are_of_the_actions_in_reverse",
        component="policy",
        row="not in the catalogue: acting and learning count differently",
        plugins="dqn,chain",
        module="plugins.dqn.agent",
        old="            return output.values.cpu().numpy()",
        new="            return output.values.flip(1).cpu().numpy()",
    ),
    Mutant(
        name="good_news_counts_and_bad_news_does_not",
        component="optimizer",
        row="not in the catalogue: an optimist learns the maximum",
        plugins="tabular,chain",
        module="plugins.tabular",
        old="            table[*cell] = (1 - rate) * table[*cell] + rate * target\n",
        new="            if target >= table[*cell] or rate > 0.5:\n"
        "                table[*cell] = (1 - rate) * table[*cell] + rate * target\n",
    ),
    Mutant(
        name="truncation_is_termination",
        component="returns",
        row="keras-rl/keras-rl#298 (openai/baselines#436)",
        plugins="dqn,chain",
        module="framework.replay.returns",
        old="np.where((terminated & used).any(axis=1), 0.0,",
        new="np.where((ended & used).any(axis=1), 0.0,",
    ),
    Mutant(
        name="the_target_never_follows",
        component="target_sync",
        row="higgsfield-ai/higgsfield#14 (never at all)",
        plugins="dqn,chain",
        module="framework.pacing",
        old="            self._policy.update_target(1.0)\n",
        new="            pass\n",
    ),
    Mutant(
        name="only_the_newest_frame_is_seen",
        component="policy",
        row="not in the catalogue: a stack is flattened from its end",
        plugins="dqn,cartpole",
        module="plugins.dqn.networks",
        old="        return cast(Tensor, self.layers(obs.to(torch.get_default_dtype())))",
        new="        if obs.ndim > 2:\n            obs = obs[:, -1:].expand_as(obs)\n"
        "        return cast(Tensor, self.layers(obs.to(torch.get_default_dtype())))",
    ),
)
