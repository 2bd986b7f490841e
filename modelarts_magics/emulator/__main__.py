"""Command line of the emulator: serve until a signal and print the connection settings."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import signal
import sys
from typing import TYPE_CHECKING

from modelarts_magics.emulator.faults import FAULT_KINDS, Fault, parse_fault
from modelarts_magics.emulator.options import CHOICES, Options

if TYPE_CHECKING:
    from modelarts_magics.emulator.account import EmulatedAccount

PROGRAM = "modelarts-magics emulator"
HIDDEN = argparse.SUPPRESS
INSTALL_HINT = "The emulator requires tornado: pip install 'modelarts-magics[demo]'"
CHOICE_HELP: dict[str, str] = {
    "api": "API of the printed instance; both APIs are served (default: %(default)s)",
    "edition": "edition of the demanager API (default: %(default)s)",
}


def _fault_argument(text: str) -> Fault:
    try:
        return parse_fault(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def build_parser(prog: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the argument parser.

    Options for the tests of this project are accepted, but not listed in `--help`.

    Args:
        prog: The program name for the usage line.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Run a local emulator of both ModelArts APIs on 127.0.0.1 with fake credentials.",
        epilog="\n".join(
            ["faults:", *(f"  {name:20}{FAULT_KINDS[name].summary}" for name in FAULT_KINDS)]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="port; 0 for any free port (default)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of shell exports")
    parser.add_argument(
        "--fault",
        type=_fault_argument,
        action="append",
        default=[],
        metavar="NAME[:ARG]",
        help="let requests fail, see below; may be repeated",
    )
    defaults = Options()
    _add_instance_options(parser, defaults)
    _add_hidden_options(parser, defaults)
    return parser


def _add_instance_options(parser: argparse.ArgumentParser, defaults: Options) -> None:
    """Add the options for the APIs and the emulated instances."""
    for name, allowed in CHOICES.items():
        flag = "--" + name.replace("_", "-")
        parser.add_argument(
            flag,
            choices=allowed,
            default=getattr(defaults, name),
            help=CHOICE_HELP.get(name, HIDDEN),
        )
    parser.add_argument(
        "--time-scale",
        type=float,
        default=defaults.time_scale,
        metavar="FACTOR",
        help="run the emulated clock FACTOR times faster than real time",
    )
    parser.add_argument(
        "--minutes-left",
        type=float,
        default=defaults.minutes_left,
        metavar="MINUTES",
        help="time left at the start (default: %(default)g)",
    )
    parser.add_argument(
        "--no-auto-stop",
        dest="auto_stop",
        action="store_false",
        help="start the instances without auto-stop",
    )
    parser.add_argument("--name", default=defaults.name, help="name of the instances")
    parser.add_argument(
        "--description", default=defaults.description, help="description of the instances"
    )


def _add_hidden_options(parser: argparse.ArgumentParser, defaults: Options) -> None:
    """Add the options that only the tests of this project use."""
    parser.add_argument(
        "--transition", type=float, default=defaults.transition_s, dest="transition_s", help=HIDDEN
    )
    parser.add_argument("--token-hours", type=float, default=None, help=HIDDEN)
    parser.add_argument("--instance-id", default=None, help=HIDDEN)
    parser.add_argument("--notebook-id", default=None, help=HIDDEN)


def connection_info(account: EmulatedAccount, *, port: int, as_json: bool) -> str:
    """Return the settings that connect a client to the emulator, as shell exports or JSON.

    Args:
        account: The emulated account.
        port: The port on 127.0.0.1.
        as_json: Return one line of JSON instead of exports.
    """
    credentials, api = account.credentials, account.options.api
    instance_id = account.demanager_id if api == "demanager" else account.notebook_id
    endpoint, time_scale = f"http://127.0.0.1:{port}", account.options.time_scale
    login = {"auth_token": credentials.auth_token, "ak": credentials.ak, "sk": credentials.sk}
    if as_json:
        location = {"endpoint": endpoint, "project_id": credentials.project_id}
        scale = {} if time_scale == 1 else {"time_scale": time_scale}
        return json.dumps({**location, "instance_id": instance_id, **login, **scale})
    exports = {
        "MODELARTS_ENDPOINT": endpoint,
        "MODELARTS_PROJECT_ID": credentials.project_id,
        "MODELARTS_INSTANCE_ID": instance_id,
        "MODELARTS_AUTH_TOKEN": credentials.auth_token,
        "MODELARTS_API": api,
    }
    if time_scale != 1:
        exports["MODELARTS_TIME_SCALE"] = f"{time_scale:g}"
    lines = [f"export {name}={shlex.quote(value)}" for name, value in exports.items()]
    lines.append("# To sign with keys instead of sending the token:")
    lines.append(f"# export HUAWEICLOUD_SDK_AK={credentials.ak}")
    lines.append(f"# export HUAWEICLOUD_SDK_SK={credentials.sk}")
    return "\n".join(lines)


async def _serve_until_signal(account: EmulatedAccount, *, port: int, as_json: bool) -> None:
    from modelarts_magics.emulator.server import serving  # noqa: PLC0415 - tornado is an extra

    stop_requested = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows does not support `loop.add_signal_handler`.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop_requested.set))
    async with serving(account, port=port) as bound:
        sys.stdout.write(connection_info(account, port=bound, as_json=as_json) + "\n")
        sys.stdout.flush()
        await stop_requested.wait()


def main(argv: list[str] | None = None, *, prog: str = PROGRAM) -> int:
    """Serve until SIGINT or SIGTERM.

    Args:
        argv: The arguments; `sys.argv` if None.
        prog: The program name for the usage line.

    Returns:
        0 after a signal, 1 if the port is in use or tornado is missing, 2 for invalid options.
    """
    arguments = vars(build_parser(prog).parse_args(argv))
    port, as_json = arguments.pop("port"), arguments.pop("json")
    faults: list[Fault] = arguments.pop("fault")
    try:
        options = Options(**arguments)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        import tornado  # noqa: F401, PLC0415 - tornado is an extra
    except ImportError:
        sys.stderr.write(INSTALL_HINT + "\n")
        return 1
    return _run_server(options, faults=faults, port=port, as_json=as_json)


def _run_server(options: Options, *, faults: list[Fault], port: int, as_json: bool) -> int:
    from modelarts_magics.emulator.account import EmulatedAccount  # noqa: PLC0415 - tornado is an extra
    from modelarts_magics.emulator.clock import ScaledClock  # noqa: PLC0415 - tornado is an extra

    account = EmulatedAccount(options, clock=ScaledClock(scale=options.time_scale))
    for fault in faults:
        account.faults.add(fault)
    try:
        asyncio.run(_serve_until_signal(account, port=port, as_json=as_json))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.stderr.write(f"Cannot listen on 127.0.0.1:{port}: {error.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(prog="python -m modelarts_magics.emulator"))
