"""``%modelarts``: from a typed line to a request, a session call, and a value that shows itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Bool, Float, TraitType, Unicode

from modelarts_magics.kernel.completion import match_command
from modelarts_magics.kernel.display import show_result

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from modelarts_magics.config.credentials import FoundCredential
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.kernel.reminder import Reminder
    from modelarts_magics.session.session import Session

MAGIC_PREFIX = "%modelarts"
_RENDERED_TYPES = (
    ("modelarts_magics.domain.models", "Instance"),
    ("modelarts_magics.domain.models", "Change"),
    ("modelarts_magics.commands.results", "InstanceDetails"),
    ("modelarts_magics.doctor", "DoctorReport"),
)
"""The types whose looks are registered; by name, so that none of them is imported for it."""


class CommandInterrupt(KeyboardInterrupt):
    """An interrupt during a command, as one line instead of a traceback through this package.

    Args:
        code: Of the sentence that says it.
    """

    def _render_traceback_(self) -> list[str]:
        from modelarts_magics.messages import text  # noqa: PLC0415 - when it is needed

        return [text(str(self))]


def _text_trait(help_text: str) -> TraitType[Any, Any]:
    return Unicode("", help=help_text).tag(config=True)


def _seconds_trait(help_text: str) -> TraitType[Any, Any]:
    return Float(None, allow_none=True, help=help_text).tag(config=True)


@magics_class
class ModelArts(Magics):
    """See and change the auto-stop and the description of this ModelArts instance."""

    endpoint = _text_trait("Scheme and host of the API; by default that of the region.")
    region = _text_trait("The region, as cn-north-4.")
    project_id = _text_trait("The project id.")
    instance_id = _text_trait("The instance id.")
    iam_endpoint = _text_trait("Scheme and host of IAM; by default that of the region.")
    api = _text_trait("The API generation: auto, demanager or notebooks.")
    timezone = _text_trait("The zone of clock times, as Asia/Shanghai; by default the system's.")
    language = _text_trait("en or zh_CN; by default the locale's.")
    state_dir = _text_trait("Where the last known state is kept.")
    connect_timeout = _seconds_trait("Seconds to wait for a connection; by default 5.")
    read_timeout = _seconds_trait("Seconds to wait for each piece of an answer; by default 15.")
    total_timeout = _seconds_trait("Seconds that a command may take; by default 30.")
    remind = Bool(
        False, help="Whether a line after a cell tells when 30, 10 or 2 minutes are left."
    ).tag(config=True)

    def __init__(self, shell: InteractiveShell, **options: Any) -> None:  # noqa: ANN401 - traitlets' own
        super().__init__(shell, **options)
        self._interactive_credential: FoundCredential | None = None
        self._session: Session | None = None
        self._session_settings: Settings | None = None
        self._reminder: Reminder | None = None

    @no_var_expand
    @line_cell_magic
    def modelarts(self, line: str, cell: str | None = None) -> object:
        """Run one command; ``%modelarts help`` lists them."""
        from modelarts_magics.commands.dispatch import (  # noqa: PLC0415 - on first use
            CommandContext,
            configure_messages,
            run_command,
        )
        from modelarts_magics.commands.parser import parse_line  # noqa: PLC0415 - on first use

        configure_messages(self.settings(), MAGIC_PREFIX)
        request = parse_line(line, cell=cell)
        context = CommandContext(
            self.session,
            self.settings,
            MAGIC_PREFIX,
            self.shell.user_ns,
            use_interactive_credential=self._use_interactive_credential,
            get_interactive_credential=lambda: self._interactive_credential,
            widget_factories={"countdown": _make_countdown, "form": _make_form},
        )
        try:
            value = run_command(request, context)
        except KeyboardInterrupt:
            from modelarts_magics.commands.writes import interrupt_message_code  # noqa: PLC0415 - when it is needed

            raise CommandInterrupt(interrupt_message_code(request)) from None
        silent = line.rstrip().endswith(";") and not request.command.free_text
        beside = _static_line(value) if request.command.kernel_only else None
        return show_result(value, silent=silent, static_text=beside)

    def settings(self) -> Settings:
        """The settings as they are now: ``%config`` before the environment."""
        from modelarts_magics.config.settings import Settings  # noqa: PLC0415 - on first use

        traits = self.trait_values(config=True)
        del traits["remind"]  # of this kernel's screen, not of the connection
        return Settings.load(traits=traits)

    def session(self) -> Session:
        """The session for the settings as they are now; the same one as long as they stay."""
        settings = self.settings()
        if self._session is None or settings != self._session_settings:
            self.close()
            self._session, self._session_settings = self._open_session(settings), settings
            self._session.on_notice = print
        return self._session

    def _open_session(self, settings: Settings) -> Session:
        from modelarts_magics.session.connect import open_session  # noqa: PLC0415 - on first use

        return open_session(settings, interactive=self._interactive_credential)

    def _use_interactive_credential(self, found: FoundCredential) -> None:
        """Use a credential that was entered, until the kernel ends."""
        self._interactive_credential = found
        self.close()

    def after_cell(self, _result: object = None) -> None:
        """Tell of an end that is near, where that is wanted."""
        if not self.remind:
            return
        if self._reminder is None:
            from modelarts_magics.kernel.reminder import Reminder  # noqa: PLC0415 - when it is wanted

            self._reminder = Reminder()
        self._reminder.after_cell(self._session)

    def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            self._session.close()
            self._session = None


def _static_line(widget: object) -> object:
    """A line that stays true beside a widget that a reopened notebook may not show any more."""
    from modelarts_magics.commands.results import TextResult  # noqa: PLC0415 - on first use
    from modelarts_magics.domain.countdown import stop_message  # noqa: PLC0415

    instance = getattr(widget, "instance", None)
    return None if instance is None else TextResult(stop_message(instance))


def _make_countdown() -> object:
    from modelarts_magics.kernel.countdown_widget import Countdown  # noqa: PLC0415 - heavy

    return Countdown()


def _make_form() -> object:
    from modelarts_magics.kernel.form.form import InstanceForm  # noqa: PLC0415 - heavy

    return InstanceForm()


def magic_help() -> str:
    """The help, for ``%modelarts?``."""
    from modelarts_magics.commands.help import help_overview  # noqa: PLC0415 - on first use

    return str(help_overview(MAGIC_PREFIX))


def register(shell: InteractiveShell) -> None:
    """Make ``%modelarts`` known to a shell; once, however often it is called."""
    if find_magics(shell) is not None:
        return
    magics = ModelArts(shell=shell, parent=shell)
    shell.register_magics(magics)  # `Magics` has put itself among the shell's configurables
    shell.events.register("post_run_cell", magics.after_cell)
    ModelArts.modelarts.getdoc = magic_help  # IPython asks for it before __doc__
    if shell.Completer is not None:
        shell.Completer.custom_matchers.append(match_command)
    for module, name in _RENDERED_TYPES:
        shell.display_formatter.formatters["text/plain"].for_type_by_name(module, name, _print_text)
        shell.display_formatter.formatters["text/html"].for_type_by_name(module, name, _format_html)


def unregister(shell: InteractiveShell) -> None:
    """Take back all that `register` did."""
    magics = find_magics(shell)
    if magics is None:
        return
    magics.close()
    shell.events.unregister("post_run_cell", magics.after_cell)
    shell.configurables.remove(magics)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("modelarts", None)
    shell.magics_manager.registry.pop("ModelArts", None)
    if shell.Completer is not None and match_command in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(match_command)
    for module, name in _RENDERED_TYPES:
        for kind in ("text/plain", "text/html"):
            _remove_formatter(shell.display_formatter.formatters[kind], module, name)


def find_magics(shell: InteractiveShell) -> ModelArts | None:
    """The magics of a shell; None where they are not loaded."""
    found = shell.magics_manager.registry.get("ModelArts")
    return found if isinstance(found, ModelArts) else None


def _remove_formatter(formatter: Any, module: str, name: str) -> None:  # noqa: ANN401 - IPython's formatter
    formatter.deferred_printers.pop((module, name), None)
    for kind in list(formatter.type_printers):
        if (kind.__module__, kind.__name__) == (module, name):
            formatter.type_printers.pop(kind)


def _print_text(value: object, printer: Any, cycle: bool) -> None:  # noqa: ANN401, ARG001 - IPython's signature
    from modelarts_magics.commands.render import render_text  # noqa: PLC0415 - when something is shown

    printer.text(render_text(value))


def _format_html(value: object) -> str:
    from modelarts_magics.commands.render import render_html  # noqa: PLC0415 - when something is shown

    return render_html(value)
