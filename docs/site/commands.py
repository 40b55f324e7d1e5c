"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

from typing import Any

from docs.site.tables import table

_HEAD = """# Command line

`run-search` and `nightshift` are the same command; `python run_search.py` is it in a checkout. Data goes to standard
output, everything else to standard error; `--format json` is for programs.

This page is made from the commands: `run-search COMMAND --help` shows the same.
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
    """The page, in Markdown: every command with its arguments and options, and the exit codes.

    Args:
        program: The program's commands, a click group such as `typer.main.get_command` gives.
    """
    parts = [_HEAD]
    for name, command in program.commands.items():
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        options = [one for one in command.params if one.param_type_name == "option" and "--help" not in one.opts]
        usage = " ".join(["run-search", name, *(_usage(one) for one in arguments), "[OPTION]..."])
        parts += [f"## {name}\n", f"{command.help}\n", f"```\n{usage}\n```\n", _table([*arguments, *options])]
    return "\n".join([*parts, "## Exit codes\n", table(("exit code", "meaning"), EXIT_CODES)])


def _table(parameters: list[Any]) -> str:
    rows = []
    for one in parameters:
        argument = one.param_type_name == "argument"
        spelling = _metavar(one) if argument else " / ".join([*one.opts, *one.secondary_opts])
        value = "" if argument or one.is_flag else f" {_metavar(one)}"
        default = "" if one.default in (None, False, True) or callable(one.default) else f"`{one.default}`"
        rows.append((f"`{spelling}{value}`", default, one.help or ""))
    return table(("argument or option", "default", "meaning"), rows)


def _usage(argument: Any) -> str:
    return _metavar(argument) if argument.required else f"[{_metavar(argument)}]"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.rstrip("_").upper())
