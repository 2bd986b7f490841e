"""The command line of the emulator: serve, say how to reach it, end on a signal."""

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
INSTALL_HINT = "The emulator needs tornado: pip install 'modelarts-magics[demo]'"
OPTION_HELP: dict[str, str] = {
    "api": "whose instance is printed; both APIs are served",
    "edition": "2019 as first published, 2021 as changed later",
    "id_form": "form of the demanager instance's id",
    "put_answer": "whether a demanager PUT answers with spec",
    "enable_while_running": "edition 2021: when auto-stop switched on in a run begins",
    "description_put_while_running": "notebooks: a description while RUNNING",
    "patch_off": "notebooks: a lease of -1",
    "lease_type": "notebooks: how type of a lease appears",
}


def _fault_argument(text: str) -> Fault:
    try:
        return parse_fault(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def build_parser(prog: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser; its defaults are those of `Options`, `prog` is how it was called."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="A local ModelArts on 127.0.0.1: both APIs, fake credentials, nothing leaves.",
        epilog="\n".join(
            ["faults:", *(f"  {name:20}{FAULT_KINDS[name].summary}" for name in FAULT_KINDS)]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    plain = Options()
    made.add_argument("--port", type=int, default=0, help="0 for any free one")
    for name, allowed in CHOICES.items():
        flag = "--" + name.replace("_", "-")
        made.add_argument(
            flag, choices=allowed, default=getattr(plain, name), help=OPTION_HELP[name]
        )
    made.add_argument("--time-scale", type=float, default=plain.time_scale, metavar="FACTOR")
    made.add_argument("--minutes-left", type=float, default=plain.minutes_left, metavar="MINUTES")
    made.add_argument(
        "--transition", type=float, default=plain.transition_s, dest="transition_s", metavar="S"
    )
    made.add_argument("--token-hours", type=float, default=None, metavar="HOURS")
    made.add_argument("--no-auto-stop", dest="auto_stop", action="store_false")
    made.add_argument("--name", default=plain.name)
    made.add_argument("--description", default=plain.description)
    made.add_argument("--instance-id", default=None)
    made.add_argument("--notebook-id", default=None)
    made.add_argument(
        "--fault", type=_fault_argument, action="append", default=[], metavar="NAME[:ARG]"
    )
    made.add_argument("--json", action="store_true", help="one line of JSON instead of exports")
    return made


def connection_info(account: EmulatedAccount, *, port: int, as_json: bool) -> str:
    """Return what tells a person or a program how to reach the emulator."""
    made_up, api = account.credentials, account.options.api
    instance_id = account.demanager_id if api == "demanager" else account.notebook_id
    endpoint = f"http://127.0.0.1:{port}"
    login = {"auth_token": made_up.auth_token, "ak": made_up.ak, "sk": made_up.sk}
    if as_json:
        place = {"endpoint": endpoint, "project_id": made_up.project_id}
        return json.dumps({**place, "instance_id": instance_id, **login})
    exports = {
        "MODELARTS_ENDPOINT": endpoint,
        "MODELARTS_PROJECT_ID": made_up.project_id,
        "MODELARTS_INSTANCE_ID": instance_id,
        "MODELARTS_AUTH_TOKEN": made_up.auth_token,
        "MODELARTS_API": api,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in exports.items()]
    lines.append("# or, instead of the token, keys:")
    lines.append(f"# export HUAWEICLOUD_SDK_AK={made_up.ak}")
    lines.append(f"# export HUAWEICLOUD_SDK_SK={made_up.sk}")
    return "\n".join(lines)


async def _serve_until_signal(account: EmulatedAccount, *, port: int, as_json: bool) -> None:
    from modelarts_magics.emulator.server import serving  # noqa: PLC0415 - tornado is an extra

    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not the loop's own handlers: Windows has none.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(end.set))
    async with serving(account, port=port) as bound:
        sys.stdout.write(connection_info(account, port=bound, as_json=as_json) + "\n")
        sys.stdout.flush()
        await end.wait()


def main(argv: list[str] | None = None, *, prog: str = PROGRAM) -> int:
    """Serve until SIGINT or SIGTERM.

    Args:
        argv: The arguments; those of the process if None.
        prog: How it was called, for its help.

    Returns:
        0 after a signal, 1 if the port is taken or tornado is missing, 2 for wrong options.
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
    from modelarts_magics.emulator.account import EmulatedAccount  # noqa: PLC0415 - as needed only
    from modelarts_magics.emulator.clock import ScaledClock  # noqa: PLC0415 - as needed only

    world = EmulatedAccount(options, clock=ScaledClock(scale=options.time_scale))
    for fault in faults:
        world.faults.add(fault)
    try:
        asyncio.run(_serve_until_signal(world, port=port, as_json=as_json))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.stderr.write(f"The emulator cannot serve on 127.0.0.1:{port}: {error.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(prog="python -m modelarts_magics.emulator"))
