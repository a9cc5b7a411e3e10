"""Bugs of samplers: prioritised replay, its sum tree, and the uniform one."""

from tests.mutants.mutant import Mutant


def _bug(
    name: str, row: str, old: str, new: str, module: str = "plugins.per", plugins: str = "dqn,per,chain"
) -> Mutant:
    return Mutant(name=name, component="sampler", row=row, plugins=plugins, module=module, old=old, new=new)


def _tree(name: str, row: str, old: str, new: str) -> Mutant:
    return _bug(name, row, old, new, "plugins.per.sumtree")


def _uniform(name: str, row: str, old: str, new: str, plugins: str = "dqn,chain") -> Mutant:
    return _bug(name, row, old, new, "framework.replay.samplers", plugins)


MUTANTS = (
    _tree(
        "tree_of_no_power_of_two",
        "vwxyzjn/cleanrl#546",
        "self._width = 1 << max(0, capacity - 1).bit_length()",
        "self._width = max(1, capacity)",
    ),
    _tree(
        "prefix_equal_to_the_total",
        "ray-project/ray#57599, #7180",
        "right = (rest >= left) & (self._nodes[2 * nodes + 1] > 0)",
        "right = rest >= left",
    ),
    _tree(
        "float32_scan",
        "pytorch/rl#2230",
        "self._nodes = np.zeros(2 * self._width, np.float64)",
        "self._nodes = np.zeros(2 * self._width, np.float32)",
    ),
    _tree(
        "sums_adjusted_by_differences",
        "not in the catalogue: rounding piles up in sums that are adjusted, not recomputed",
        """        self._nodes[nodes] = weights
        for _ in range(self._width.bit_length() - 1):
            nodes = nodes >> 1  # siblings compute the same sum twice: that is cheaper than finding them
            self._nodes[nodes] = self._nodes[2 * nodes] + self._nodes[2 * nodes + 1]
""",
        """        weights = np.broadcast_to(weights, nodes.shape)
        for node, weight in zip(nodes.tolist(), weights.tolist()):
            difference = weight - self._nodes[node]
            while node:
                self._nodes[node] += difference
                node >>= 1
""",
    ),
    _bug(
        "zero_priority_is_never_drawn_again",
        "instadeepai/flashbax#52: priorities of 0, here without ε",
        "(priorities[active] + self._options.epsilon) **",
        "priorities[active] **",
    ),
    _bug(
        "slots_that_hold_nothing_are_drawn",
        "instadeepai/flashbax#52",
        "            self._ids[leaves] = -1\n            self._tree[leaves] = 0.0\n",
        "            self._ids[leaves] = -1\n",
    ),
    _bug(
        "priority_rounded_to_int",
        "instadeepai/flashbax#58",
        "        self._tree[ids[active] % len(self._ids)] = scaled\n",
        "        self._tree[ids[active] % len(self._ids)] = np.ceil(scaled).astype(np.int64)\n",
    ),
    _bug(
        "priority_written_to_an_overwritten_slot",
        "ray-project/ray#6534",
        "return (ids >= 0) & (self._ids[ids % len(self._ids)] == ids)",
        "return (ids >= 0) & (self._ids[ids % len(self._ids)] >= 0)",
    ),
    _bug(
        "late_priority_written_to_an_overwritten_slot",
        "ray-project/ray#6534",
        "        active = self._active(ids)\n",
        "        active = self._ids[ids % len(self._ids)] >= 0\n",
    ),
    _bug(
        "new_item_gets_1",
        "ray-project/ray#11750",
        "        self._largest = max(self._largest, float(scaled.max()))\n",
        "",
    ),
    _bug(
        "alpha_twice",
        "pytorch/rl#2211",
        "        self._tree[ids[active] % len(self._ids)] = scaled\n",
        "        self._tree[ids[active] % len(self._ids)] = scaled**self._options.alpha\n",
    ),
    _bug(
        "wrong_importance_exponent",
        "takoika/PrioritizedExperienceReplay#1",
        "weights = (self._size * probability) ** -beta",
        "weights = (self._size * probability) ** beta",
    ),
    _bug(
        "weights_not_normalised",
        "takoika/PrioritizedExperienceReplay#1",
        "weights / weights.max() if n > 1 else weights\n",
        "weights\n",
    ),
    _bug(
        "a_batch_of_one_is_its_own_largest_weight",
        "not in the catalogue: β has no effect on learning one transition at a time",
        "weights / weights.max() if n > 1 else weights\n",
        "weights / weights.max()\n",
        plugins="tabular,per,chain",
    ),
    _bug(
        "priorities_stay_when_observations_rotate",
        "keras-rl/keras-rl#276",
        """        self._ids = np.full(capacity, -1, np.int64)

    def activate(self, ids: Int64[np.ndarray, " K"]) -> None:
        leaves = ids % len(self._ids)
        self._ids[leaves] = ids
        self._tree[leaves] = self._largest
        self._size += len(ids)

    def retire(self, ids: Int64[np.ndarray, " K"]) -> None:
        leaves = (ids % len(self._ids))[self._active(ids)]
        if len(leaves):
""",
        """        self._ids = np.full(capacity, -1, np.int64)
        self._priorities = np.zeros(capacity)

    def activate(self, ids: Int64[np.ndarray, " K"]) -> None:
        leaves = ids % len(self._ids)
        self._ids[leaves] = ids
        self._tree[leaves] = np.where(self._priorities[leaves] > 0, self._priorities[leaves], self._largest)
        self._size += len(ids)

    def retire(self, ids: Int64[np.ndarray, " K"]) -> None:
        leaves = (ids % len(self._ids))[self._active(ids)]
        if len(leaves):
            self._priorities[leaves] = self._tree[leaves]
""",
    ),
    _bug(
        "retired_priorities_stay_when_observations_rotate",
        "keras-rl/keras-rl#276",
        """            self._tree[leaves] = 0.0
            self._size -= len(leaves)
""",
        """            self._tree[leaves] = np.minimum(self._tree[leaves], 1e-3)
            self._size -= len(leaves)
""",
    ),
    _bug(
        "nan_poisons_the_tree",
        "MorvanZhou/Reinforcement-learning-with-tensorflow#54",
        "        if not np.isfinite(priorities).all() or (priorities < 0).any():\n",
        "        if (priorities < 0).any():\n",
    ),
    _bug(
        "infinity_poisons_the_tree",
        "MorvanZhou/Reinforcement-learning-with-tensorflow#54: infinite instead of NaN",
        "        if not np.isfinite(priorities).all() or (priorities < 0).any():\n",
        "        if np.isnan(priorities).any() or (priorities < 0).any():\n",
    ),
    _bug(
        "priorities_never_updated",
        "anthonytorlucci/rlevo#188",
        "        self._tree[ids[active] % len(self._ids)] = scaled\n",
        "",
    ),
    _bug(
        "beta_never_grows",
        "not in the catalogue: β annealed in updates of which nobody tells the sampler",
        "self._options.beta_horizon, counters.env_steps)",
        "self._options.beta_horizon, counters.updates)",
    ),
    _bug(
        "alpha_left_out",
        "not in the catalogue: priorities without their exponent",
        ") ** self._options.alpha\n",
        ")\n",
    ),
    _bug(
        "epsilon_inside_and_outside",
        "not in the catalogue: ε added after the exponent",
        "(priorities[active] + self._options.epsilon) ** self._options.alpha",
        "priorities[active] ** self._options.alpha + self._options.epsilon",
    ),
    _bug(
        "callers_priorities_changed_in_place",
        "thu-ml/tianshou#82: the caller's arrays",
        "        active = self._active(ids)\n",
        "        priorities += self._options.epsilon\n        active = self._active(ids)\n",
    ),
    _bug(
        "division_by_a_sum_of_0",
        "not in the catalogue: every error is 0, and so is the sum",
        """        if not self._size:
            return np.empty(0, np.int64), np.empty(0)
""",
        "",
    ),
    _uniform(
        "last_is_never_drawn",
        "not in the catalogue: off by one in the range of a draw",
        "places = self._generator.choice(self._size, n, replace=False, shuffle=False)",
        "places = self._generator.integers(0, max(self._size - 1, 1), n)",
    ),
    _uniform(
        "index_0_where_there_is_none",
        "le2333/RTRRL#57",
        "        n = min(n, self._size)\n",
        "        if not self._size:\n            return np.zeros(n, np.int64), np.ones(n)\n"
        "        n = min(n, self._size)\n",
    ),
    _uniform(
        "retire_clears_whichever_id_is_there",
        "ray-project/ray#6534: retirement instead of priorities",
        "        active = (places >= 0) & (self._ids[places] == ids)\n",
        "        active = places >= 0\n",
    ),
    _uniform(
        "moved_id_keeps_its_old_place",
        "not in the catalogue: swap and pop without the index",
        "            self._place[moved % len(self._ids)] = place\n",
        "",
    ),
    _uniform(
        "ids_in_int32",
        "not in the catalogue: ids of a long run overflow",
        "        self._ids = np.zeros(capacity, np.int64)\n",
        "        self._ids = np.zeros(capacity, np.int32)\n",
    ),
    _uniform(
        "drawn_ids_are_a_view",
        "thu-ml/tianshou#82: the sampler's own array is given away",
        "        return self._ids[places], np.ones(n)\n",
        "        return self._ids[places[0] : places[0] + 1] if n == 1 else self._ids[places], np.ones(n)\n",
    ),
    _uniform(
        "retired_ids_still_waiting",
        "not in the catalogue: an ordered sampler that never forgets",
        "            self._waiting = deque(waiting for waiting in self._waiting if waiting not in gone)\n",
        "            pass\n",
        "tabular,chain",
    ),
    _uniform(
        "fewer_than_could_be_given",
        "not in the catalogue: a batch is cut short",
        "        n = min(n, self._size)\n",
        "        n = min(n, self._size // 2 + 1)\n",
    ),
    Mutant(
        name="uniform_draws_with_replacement",
        component="sampler",
        row="drawn by a seed: a keyword is left out",
        plugins="dqn,chain",
        module="framework.replay.samplers",
        old="n, replace=False, shuffle=False)",
        new="n, shuffle=False)",
    ),
    Mutant(
        name="places_in_8_bits",
        component="sampler",
        row="not in the catalogue: more than 8 bits can count",
        plugins="dqn,chain",
        module="framework.replay.samplers",
        old="self._place = np.full(capacity, -1, np.int64)",
        new="self._place = np.full(capacity, -1, np.int8)",
    ),
)
