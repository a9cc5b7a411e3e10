"""The command `config`."""

from __future__ import annotations

import typer

from framework.cli.options import ConfigOption, PluginsOption, SetOption, names_of, sources_of


def show_config(
    plugins: PluginsOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Print every option that this composition reads, and where its value came from, as TOML that you can edit.

    Example:

      python -m framework config --plugins chapter,pong > chapter.toml
    """
    from framework.assembly.assemble import assemble

    sources = sources_of(config, assignments, {})
    parts = assemble(names_of(plugins, sources), sources=sources)
    parts.close()
    for note in parts.notes:
        typer.echo(note, err=True)
    typer.echo(parts.config.to_toml(parts.read), nl=False)
