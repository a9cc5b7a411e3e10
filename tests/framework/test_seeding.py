"""Seeds: one stream for each name, one seed for each episode."""

from __future__ import annotations

from framework.seeding import Seeds


def test_streams_are_named_and_seed_zero_is_a_seed() -> None:
    zero, one = Seeds(0), Seeds(1)
    assert zero.generator("a").random() == zero.generator("a").random()
    assert len({seeds.generator(name).random() for seeds in (zero, one) for name in ("a", "b", "c")}) == 6


def test_neighbouring_runs_and_environments_share_no_episode() -> None:
    """4 runs × 2 roles × 4 environments × 25 episodes; a chance collision has probability below 2e-4."""
    seeds = [
        Seeds(run).episode(role, env_id, episode)
        for run in range(4)
        for role in ("train", "evaluate")
        for env_id in range(4)
        for episode in range(25)
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
