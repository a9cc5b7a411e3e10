"""The runner: it turns names of plugins into findings, in processes that it watches."""
