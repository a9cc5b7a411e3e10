"""Bugs of target syncs: periods in the wrong unit, periods that drift, and moves that nobody asked for."""

from tests.mutants.mutant import Mutant

FIRES = "        if passed > self._passed:\n"


def _hard(name: str, row: str, old: str, new: str, plugins: str = "dqn,chain") -> Mutant:
    return Mutant(name, "target_sync", row, plugins, "framework.defaults.pacing", old, new)


def _soft(name: str, row: str, old: str, new: str) -> Mutant:
    return Mutant(name, "target_sync", row, "dqn,polyak,chain", "plugins.polyak", old, new)


MUTANTS = (
    _hard(
        "target_copied_only_when_two_periods_meet",
        "vwxyzjn/cleanrl#322",
        FIRES,
        "        if passed > self._passed and counters[self._unit] % self._every == counters.env_steps % 10 == 0:\n",
    ),
    _hard(
        "target_period_divided_at_each_load",
        "DLR-RM/stable-baselines3#1373",
        '        self._passed = int(state["passed"])\n',
        '        self._passed = int(state["passed"])\n        self._every = max(self._every // 5, 1)\n',
    ),
    _hard("target_period_in_frames", "pfnet/pfrl#200", "counters[self._unit] // self", "counters.frames // self"),
    _hard(
        "target_period_in_steps_always",
        "astooke/rlpyt#150",
        "counters[self._unit] // self",
        "counters.env_steps // self",
    ),
    _hard(
        "target_synced_only_at_the_start",
        "higgsfield-ai/higgsfield#14",
        FIRES,
        "        if passed > self._passed == 0:\n",
    ),
    _hard(
        "target_blended_beside_the_copy",
        "anthonytorlucci/rlevo#182",
        "            self._policy.update_target(1.0)\n",
        "            self._policy.update_target(1.0)\n        else:\n            self._policy.update_target(0.005)\n",
    ),
    _hard(
        "target_blended_after_the_copy",
        "anthonytorlucci/rlevo#182",
        "            self._policy.update_target(1.0)\n",
        "            self._policy.update_target(1.0)\n            self._policy.update_target(0.005)\n",
    ),
    _hard(
        "target_copied_at_exact_multiples_only",
        "not in the catalogue: several environments step over them",
        "        passed = counters[self._unit] // self._every\n" + FIRES,
        "        passed = counters[self._unit] // self._every\n"
        "        if counters[self._unit] % self._every == 0 and passed > self._passed:\n",
    ),
    _hard(
        "target_period_counts_ticks",
        "not in the catalogue: steps and updates both tick",
        "        passed = counters[self._unit] // self._every\n",
        '        self._ticks = getattr(self, "_ticks", 0) + 1\n        passed = self._ticks // self._every\n',
    ),
    _hard(
        "target_period_begins_at_the_last_copy",
        "not in the catalogue: a late copy delays all later ones",
        "        passed = counters[self._unit] // self._every\n" + FIRES,
        "        passed = counters[self._unit]\n        if passed - self._passed >= self._every:\n",
    ),
    _hard(
        "target_sync_forgets_its_last_copy",
        "not in the catalogue: one copy too many after each load",
        '        self._passed = int(state["passed"])\n',
        "        self._passed = 0\n",
    ),
    Mutant(
        name="online_waits_for_a_step",
        component="target_sync",
        row="not in the catalogue: the wrong unit",
        plugins="dqn,online,chain",
        module="plugins.online",
        old='unit="updates"',
        new='unit="env_steps"',
    ),
    _soft(
        "polyak_moves_with_every_tick",
        "not in the catalogue: after steps, too",
        "        if counters.updates > self._seen:\n",
        "        if counters.updates > 0:\n",
    ),
    _soft(
        "polyak_exchanges_its_shares",
        "not in the catalogue: τ of the target, not of the online network",
        "update_target(self._tau)",
        "update_target(1 - self._tau)",
    ),
    _soft(
        "polyak_in_per_cent",
        "not in the catalogue: a share above 1",
        "update_target(self._tau)",
        "update_target(500 * self._tau)",
    ),
    _soft(
        "polyak_copies_now_and_then",
        "anthonytorlucci/rlevo#182",
        "            self._policy.update_target(self._tau)\n",
        "            self._policy.update_target(self._tau)\n"
        "            if counters.updates % 250 == 0:\n"
        "                self._policy.update_target(1.0)\n",
    ),
    _soft(
        "polyak_is_not_restored",
        "not in the catalogue: one move too many after each load",
        '        self._seen = int(state["seen"])\n',
        "        self._seen = 0\n",
    ),
)
