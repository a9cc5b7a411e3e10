"""Environments. Importing this package registers the tiny ones with gymnasium and imports none of them."""

from gymnasium import register

register(id="framework/Chain-v0", entry_point="envs.chain:ChainEnv", max_episode_steps=200)
register(id="framework/Grid-v0", entry_point="envs.grid:GridEnv", max_episode_steps=100)
