"""The ``%modelarts`` magic: parse the line, run the command, display the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Bool

from modelarts_magics.config.setting_traits import setting_traits
from modelarts_magics.kernel.completion import match_command
from modelarts_magics.kernel.current_session import (
    register_session_getter,
    unregister_session_getter,
)

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from modelarts_magics.config.credentials import FoundCredential
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.kernel.reminder import Reminder
    from modelarts_magics.session.session import Session

_RENDERED_TYPES = (
    ("modelarts_magics.domain.models", "Instance"),
    ("modelarts_magics.domain.models", "Change"),
    ("modelarts_magics.commands.results", "InstanceDetails"),
    ("modelarts_magics.doctor", "DoctorReport"),
)
"""The types with a registered formatter, by module and name so that none has to be imported."""


class CommandInterrupt(KeyboardInterrupt):
    """An interrupted command, shown as one line instead of a traceback.

    Args:
        code: The code of the message to show.
    """

    def _render_traceback_(self) -> list[str]:
        from modelarts_magics.messages import text  # noqa: PLC0415 - keeps %load_ext fast

        return [text(str(self))]


@magics_class
class ModelArts(Magics):
    """View and change the auto-stop and the description of this ModelArts notebook instance."""

    # In a class body, locals() is the namespace of the class.
    locals().update(setting_traits())
    remind = Bool(
        False, help="Print a reminder after a cell at 30, 10 and 2 minutes before the stop."
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
        from modelarts_magics.commands import dispatch, parser  # noqa: PLC0415 - keeps %load_ext fast
        from modelarts_magics.commands.context import CommandContext  # noqa: PLC0415
        from modelarts_magics.commands.grammar import MAGIC_PREFIX  # noqa: PLC0415
        from modelarts_magics.kernel.display import show_result  # noqa: PLC0415

        dispatch.configure_messages(self.settings(), MAGIC_PREFIX)
        request = parser.parse_line(line, cell=cell)
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
            value = dispatch.run_command(request, context)
        except KeyboardInterrupt:
            raise CommandInterrupt(parser.interrupt_message_code(request)) from None
        silent = line.rstrip().endswith(";") and not request.command.free_text
        static_text = _static_line(value) if request.command.kernel_only else None
        return show_result(value, silent=silent, static_text=static_text)

    def settings(self) -> Settings:
        """Return the current settings; ``%config`` takes precedence over the environment.

        Raises:
            ConfigurationError: A setting is invalid.
        """
        from modelarts_magics.config.settings import Settings  # noqa: PLC0415 - keeps %load_ext fast

        traits = self.trait_values(config=True)
        # The reminder is configured per kernel and is no setting of the connection.
        del traits["remind"]
        return Settings.load(traits=traits)

    def session(self) -> Session:
        """Return the session for the current settings, and replace it when they change.

        Raises:
            ModelArtsError: The settings or the credentials are missing or invalid.
        """
        settings = self.settings()
        if self._session is None or settings != self._session_settings:
            self.close()
            self._session, self._session_settings = self._open_session(settings), settings
            self._session.on_notice = print
        return self._session

    def _open_session(self, settings: Settings) -> Session:
        from modelarts_magics.session.connect import open_session  # noqa: PLC0415 - keeps %load_ext fast

        return open_session(settings, interactive=self._interactive_credential)

    def _use_interactive_credential(self, found: FoundCredential) -> None:
        """Use the credential entered by ``login`` until the kernel shuts down."""
        self._interactive_credential = found
        self.close()

    def after_cell(self, _result: object = None) -> None:
        """Print a reminder if the setting ``remind`` is on and one is due; IPython's hook."""
        if not self.remind:
            return
        if self._reminder is None:
            from modelarts_magics.kernel.reminder import Reminder  # noqa: PLC0415 - keeps %load_ext fast

            self._reminder = Reminder()
        self._reminder.after_cell(self._session)

    def close(self) -> None:
        """Close the session. The next command opens another one."""
        if self._session is not None:
            self._session.close()
            self._session = None


def _static_line(widget: object) -> object:
    """Return a line of text to show beside a widget, which a reopened notebook may not show."""
    from modelarts_magics.commands.results import TextResult  # noqa: PLC0415 - keeps %load_ext fast
    from modelarts_magics.domain.countdown import stop_message  # noqa: PLC0415

    instance = getattr(widget, "instance", None)
    return None if instance is None else TextResult(stop_message(instance))


def _make_countdown() -> object:
    from modelarts_magics.kernel.countdown_widget import Countdown  # noqa: PLC0415 - slow to import

    return Countdown()


def _make_form() -> object:
    from modelarts_magics.kernel.form.form import InstanceForm  # noqa: PLC0415 - slow to import

    return InstanceForm()


def magic_help() -> str:
    """Return the help for ``%modelarts?``."""
    from modelarts_magics.commands.grammar import MAGIC_PREFIX  # noqa: PLC0415 - keeps %load_ext fast
    from modelarts_magics.commands.help import help_overview  # noqa: PLC0415

    return str(help_overview(MAGIC_PREFIX))


def register(shell: InteractiveShell) -> None:
    """Load the magics, the completion and the formatters into `shell`; a second call does nothing."""
    if find_magics(shell) is not None:
        return
    # `Magics.__init__` adds the object to `shell.configurables`.
    magics = ModelArts(shell=shell, parent=shell)
    shell.register_magics(magics)
    shell.events.register("post_run_cell", magics.after_cell)
    register_session_getter(magics.session)
    # IPython calls `getdoc` in preference to reading `__doc__`.
    ModelArts.modelarts.getdoc = magic_help
    if shell.Completer is not None:
        shell.Completer.custom_matchers.append(match_command)
    for module, name in _RENDERED_TYPES:
        shell.display_formatter.formatters["text/plain"].for_type_by_name(module, name, _print_text)
        shell.display_formatter.formatters["text/html"].for_type_by_name(module, name, _format_html)


def unregister(shell: InteractiveShell) -> None:
    """Undo `register`; do nothing if the magics are not loaded."""
    magics = find_magics(shell)
    if magics is None:
        return
    magics.close()
    unregister_session_getter(magics.session)
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
    """Return the magics loaded into `shell`, or None."""
    found = shell.magics_manager.registry.get("ModelArts")
    return found if isinstance(found, ModelArts) else None


def _remove_formatter(formatter: Any, module: str, name: str) -> None:  # noqa: ANN401 - IPython's formatter
    formatter.deferred_printers.pop((module, name), None)
    for kind in list(formatter.type_printers):
        if (kind.__module__, kind.__name__) == (module, name):
            formatter.type_printers.pop(kind)


def _print_text(value: object, printer: Any, cycle: bool) -> None:  # noqa: ANN401, ARG001 - IPython's signature
    from modelarts_magics.commands.render import render_text  # noqa: PLC0415 - keeps %load_ext fast

    printer.text(render_text(value))


def _format_html(value: object) -> str:
    from modelarts_magics.commands.render import render_html  # noqa: PLC0415 - keeps %load_ext fast

    return render_html(value)
