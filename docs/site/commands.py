"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

from typing import Any

from docs.site.tables import table

_HEAD = """# Command line

`run-search` and `nightshift` are the same command; `python run_search.py` is it in a checkout. Data goes to standard
output, everything else to standard error; `--format json` is for programs.

This page is made from the commands: `run-search COMMAND --help` shows the same. What is in bold has to be given.
Without a command there is:

"""

EXIT_CODES = (
    ("0", "done"),
    ("1", "failed: no usable configuration, an export that could not be verified, a full disk"),
    (
        "2",
        "wrong usage, an invalid space file or model function, an objective that is not reported, data or a run "
        "directory that cannot be used",
    ),
    ("130", "interrupted by the user, everything saved"),
)


def command_page(program: Any) -> str:
    """The page, in Markdown: the program's own options, every command with its arguments and options, the exit codes.

    Args:
        program: The program's commands, a click group such as `typer.main.get_command` gives.
    """
    parts = [_HEAD + _table(_options(program))]
    for name, command in program.commands.items():
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        options = _options(command)
        needed = [_spelling(one) for one in options if one.required]
        usage = " ".join(["run-search", name, *(_usage(one) for one in arguments), *needed, "[OPTION]..."])
        parts += [f"## {name}\n", f"{command.help}\n", f"```\n{usage}\n```\n", _table([*arguments, *options])]
    return "\n".join([*parts, "## Exit codes\n", table(("exit code", "meaning"), EXIT_CODES)])


def _options(command: Any) -> list[Any]:
    return [one for one in command.params if one.param_type_name == "option" and "--help" not in one.opts]


def _table(parameters: list[Any]) -> str:
    rows = []
    for one in parameters:
        name = f"`{_spelling(one)}`"
        rows.append((f"**{name}**" if one.required else name, _default(one), one.help or ""))
    return table(("argument or option", "default", "meaning"), rows)


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return _metavar(parameter)
    value = "" if parameter.is_flag else f" {_metavar(parameter)}"
    return " / ".join([*parameter.opts, *parameter.secondary_opts]) + value


def _default(parameter: Any) -> str:
    default = parameter.default
    if isinstance(default, bool):
        # Of a pair such as `--png / --no-png` the one that holds.
        meant = parameter.opts if default else parameter.secondary_opts
        return f"`{meant[0]}`" if meant else ""
    return "" if default is None or callable(default) else f"`{default}`"


def _usage(argument: Any) -> str:
    return _metavar(argument) if argument.required else f"[{_metavar(argument)}]"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.rstrip("_").upper())
