"""Bugs of the replay: of the engine's ring of frames, and of an independent author's buffer of whole transitions."""

from tests.mutants.mutant import Mutant

LANES = "framework.replay.lanes"
WHOLE = "tests.mutants.correct.whole_transitions"
"""An independent author's buffer, which is right without these bugs."""


def _bug(name: str, row: str, old: str, new: str, plugins: str = "dqn,chain") -> Mutant:
    return Mutant(name=name, component="buffer", row=row, plugins=plugins, module=LANES, old=old, new=new)


def _whole(name: str, row: str, old: str, new: str) -> Mutant:
    plugins = f"{WHOLE},dqn,chain"
    return Mutant(name=name, component="buffer", row=row, plugins=plugins, module=WHOLE, old=old, new=new)


MUTANTS = (
    _bug(
        "stack_crosses_the_write_head",
        "berkeleydeeprlcourse/homework#52",
        "starts = overwritten[:, None] + np.arange(self._stack)",
        "starts = overwritten[:, None] + np.arange(1)",
    ),
    _bug(
        "next_obs_from_an_unwritten_slot",
        "huggingface/lerobot#918",
        "np.where(step.ended, start, start - self._returns.horizon + 1)",
        "np.where(step.ended, start, start - self._returns.horizon + 2)",
        "dqn,nstep,chain",
    ),
    _bug(
        "reset_frame_as_truncated_successor",
        "DLR-RM/stable-baselines3#934, vwxyzjn/cleanrl#460",
        """            self._advance(starting)
            self._frames""",
        """            self._advance(starting[self._head[starting] < 0])
            self._frames""",
    ),
    _bug(
        "oldest_slots_lose_their_terminal_flag",
        "keras-rl/keras-rl#138",
        """        self._advance(lanes)
        slot = """,
        """        self._advance(lanes)
        self._terminated[self._index(lanes, self._head[lanes] + 1)] = False
        slot = """,
    ),
    _bug(
        "oldest_frames_are_zeroed",
        "keras-rl/keras-rl#138",
        """        self._advance(lanes)
        slot = """,
        """        self._advance(lanes)
        self._frames[self._index(lanes, self._head[lanes] + 1)] = 0
        slot = """,
    ),
    _bug(
        "fake_terminal_at_the_episodes_end",
        "google/dopamine#228",
        "            self._pending[starting] = self._head[starting]\n",
        "            self._pending[starting] = np.maximum(self._head[starting] - 1, 0)\n",
    ),
    _bug(
        "full_too_early",
        "assume-framework/assume#855",
        "np.where(step.ended, start, start - self._returns.horizon + 1)",
        "np.where(step.ended, start, start + 1)",
    ),
    _bug(
        "write_index_stops_when_full",
        "medipixel/rl_algorithms#94",
        "        self._head[lanes] += 1\n",
        "        self._head[lanes] = np.minimum(self._head[lanes] + 1, self._length - 1)\n",
    ),
    _bug(
        "newest_has_no_successor",
        "tensorforce/tensorforce#138",
        "version, after = self._version, start + length",
        "version, after = self._version, np.minimum(start + length, self._head[lanes] - 1)",
    ),
    _bug(
        "window_from_newest_into_oldest",
        "iwhwang/Fine-Grained-Causal-RL#1",
        "np.where(step.ended, start, start - self._returns.horizon + 1)",
        "start",
        "dqn,nstep,chain",
    ),
    _bug(
        "frames_as_float32",
        "thu-ml/tianshou#65, google/dopamine#57",
        "np.dtype(spaces.frame.dtype))",
        "np.dtype(np.float32))",
    ),
    _bug(
        "frames_as_bytes",
        "google/dopamine#57",
        "np.dtype(spaces.frame.dtype))",
        "np.dtype(np.uint8))",
    ),
    _bug(
        "rewards_as_float32",
        "thu-ml/tianshou#65",
        "self._reward = np.zeros(slots, np.float64)",
        "self._reward = np.zeros(slots, np.float32).astype(np.float32)",
    ),
    _bug(
        "actions_as_bytes",
        "thu-ml/tianshou#65",
        "self._action = np.zeros(slots, np.int64)",
        "self._action = np.zeros(slots, np.uint8)",
    ),
    _bug(
        "draw_changes_the_callers_ids",
        "thu-ml/tianshou#82",
        "        lanes, start = ids % self._lanes, ids // self._lanes\n",
        "        lanes = ids % self._lanes\n        ids -= lanes\n        start = ids // self._lanes\n",
    ),
    _bug(
        "index_0_where_nothing_can_be_drawn",
        "le2333/RTRRL#57",
        "        ids, weights = self._sampler.sample(n, counters)\n",
        "        ids, weights = self._sampler.sample(n, counters)\n"
        "        if not len(ids):\n"
        "            ids, weights = np.zeros(n, np.int64), np.ones(n)\n",
    ),
    _bug("wrong_field_rescaled", "LAMDA-RL/PRDC#1", "discount=discount,", "discount=discount * 0.1,"),
    _bug(
        "same_array_stored_by_reference",
        "Itomigna2/Muesli-lunarlander#1",
        "            return self._frames[slots]\n",
        "            return self._frames[slots[0] : slots[0] + 1] if len(slots) == 1 else self._frames[slots]\n",
    ),
    _bug(
        "last_starts_never_given",
        "CleanRL rainbow_atari.py: the last n−1 starts never emitted",
        "np.where(step.ended, start, start - self._returns.horizon + 1)",
        "start - self._returns.horizon + 1",
        "dqn,nstep,chain",
    ),
    _bug(
        "n_step_successor_not_stored",
        "Huixxi/TensorFlow2.0-for-Deep-Reinforcement-Learning#1",
        "version, after = self._version, start + length",
        "version, after = self._version, start + 1",
        "dqn,nstep,chain",
    ),
    _bug(
        "priorities_not_passed_on",
        "anthonytorlucci/rlevo#188",
        "        self._sampler.reprioritize(ids, priorities)\n",
        "        pass\n",
        "dqn,per,chain",
    ),
    _bug(
        "slots_serve_as_ids",
        "ray-project/ray#6534: the buffer's share of it, ids without a generation",
        "ids = positions * self._lanes + lanes[rows]\n            self._sampler.activate(ids)",
        "ids = positions * self._lanes + lanes[rows]\n            "
        "self._sampler.activate(positions % self._length * self._lanes + lanes[rows])",
        "dqn,per,chain",
    ),
    _bug(
        "never_retired",
        "not in the catalogue: overwritten transitions stay drawable",
        "        self._sampler.retire(ids[lost & (overwritten >= 0)[:, None]])\n",
        "",
    ),
    _bug(
        "retired_one_frame_too_early",
        "not in the catalogue: off by one at the write head",
        "overwritten = self._head[lanes] - self._length\n",
        "overwritten = self._head[lanes] - self._length + 1\n",
    ),
    _bug(
        "zero_padding_ignored",
        "Farama-Foundation/Gymnasium#829",
        '        if self._spaces.stack_padding == "zero":\n            frames[padding] = 0\n',
        "",
    ),
    _bug(
        "stack_crosses_the_episodes_start",
        "not in the catalogue: frames of the episode before in a stack",
        "            self._age[self._index(starting, self._head[starting])] = 0\n",
        "            self._age[self._index(starting, self._head[starting])] = self._stack - 1\n",
    ),
    _bug(
        "next_action_of_the_next_episode",
        "not in the catalogue: truncation is no end of the actions",
        "~(self._terminated[before] | self._truncated[before])",
        "~self._terminated[before]",
        "tabular,sarsa,chain",
    ),
    _bug(
        "next_action_that_was_not_taken_yet",
        "not in the catalogue: an unwritten slot's action",
        "known = (positions < self._head[lanes]) &",
        "known = (positions <= self._head[lanes]) &",
    ),
    _bug(
        "action_one_step_late",
        "not in the catalogue: actions lie one step away from their observations",
        "action=self._action[steps[:, 0]],",
        "action=self._action[self._index(lanes, start + 1)],",
    ),
    _bug(
        "truncated_stored_as_terminated",
        "openai/baselines#436: the buffer's share of it",
        "self._terminated[slot] = step.terminated",
        "self._terminated[slot] = step.ended",
    ),
    _bug(
        "reset_frame_only_for_the_first_environment",
        "not in the catalogue: environments that end together",
        "            starting = lanes[step.first]\n",
        "            starting = np.repeat(lanes[step.first][:1], int(step.first.sum()))\n",
    ),
    _bug(
        "rows_taken_for_environments",
        "vwxyzjn/cleanrl#499: a step without a row for each environment",
        "        lanes = step.env_id\n",
        "        lanes = np.arange(len(step.env_id))\n",
    ),
    _bug(
        "lane_length_rounded_up",
        "not in the catalogue: capacities that are no multiple of the number of environments",
        "lanes, length = spaces.num_envs, capacity // spaces.num_envs\n",
        "lanes, length = spaces.num_envs, -(-capacity // spaces.num_envs)\n",
    ),
    _bug(
        "weights_in_another_order",
        "not in the catalogue: ids sorted for the sake of the memory, weights not",
        "        ids, weights = self._sampler.sample(n, counters)\n",
        "        ids, weights = self._sampler.sample(n, counters)\n        ids = np.sort(ids)\n",
        "dqn,per,chain",
    ),
    _bug(
        "smallest_capacity_is_too_small",
        "not in the catalogue: a window that laps itself",
        "shortest = spaces.frame_stack + returns.horizon + 1\n",
        "shortest = 1\n",
    ),
    _whole(
        "stranger_keeps_the_callers_frames",
        "Itomigna2/Muesli-lunarlander#1",
        """        if self.spaces.frame_stack == 1:
            return np.array(frame, self.spaces.frame.dtype)
        return np.array([*stack[1:]""",
        """        if self.spaces.frame_stack == 1:
            return frame
        return np.array([*stack[1:]""",
    ),
    _whole(
        "stranger_stops_when_full",
        "medipixel/rl_algorithms#94",
        "            oldest = self.kept.popleft()\n",
        "            return\n            oldest = self.kept.popleft()\n",
    ),
    _whole(
        "stranger_retires_nothing",
        "ray-project/ray#6534: overwritten transitions stay drawable",
        "            self.sampler.retire(np.array([oldest.number]))\n",
        "",
    ),
    _whole(
        "stranger_joins_episodes_that_were_truncated",
        "younggyoseo/FastTD3#7",
        "            if not step.first[row]:\n                self.last[env].after = moment\n",
        "            if env in self.last:\n                self.last[env].after = moment\n",
    ),
    _whole(
        "stranger_stacks_over_the_reset",
        "Farama-Foundation/Gymnasium#829",
        '        blank = np.zeros_like(frame) if self.spaces.stack_padding == "zero" else frame\n',
        "        blank = np.zeros_like(frame)\n",
    ),
    Mutant(
        name="batches_share_an_array_of_actions",
        component="buffer",
        row="not in the catalogue: an array is used again for the next batch of its size",
        plugins="dqn,chain",
        module="framework.replay.lanes",
        old="            action=self._action[steps[:, 0]],\n",
        new="            action=np.take(\n"
        "                self._action,\n"
        "                steps[:, 0],\n"
        '                out=self.__dict__.setdefault(f"_scratch_{len(ids)}", np.empty(len(ids), np.int64)),\n'
        "            ),\n",
    ),
)
