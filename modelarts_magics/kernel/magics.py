"""The ``%modelarts`` magic: parse the line, run the command, display the result."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Bool

from modelarts_magics.config.notify_folder import may_need_daemon
from modelarts_magics.config.setting_traits import setting_traits
from modelarts_magics.kernel.completion import register_completion
from modelarts_magics.kernel.keep_cell import KeepCells, transform_cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from modelarts_magics.config.credentials import FoundCredential
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.kernel.cell_marks import CellMarks
    from modelarts_magics.kernel.reminder import Reminder
    from modelarts_magics.messages import Message
    from modelarts_magics.session.session import Session


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
        self._cell_marks: CellMarks | None = None
        self._has_hidden_output = False
        self._shows_result_only = False
        self.undo_registration = ExitStack()
        self.keep_cells = KeepCells(
            shell, get_session=self.session, prepare=self._configure_messages
        )

    @no_var_expand
    @line_cell_magic
    def modelarts(self, line: str, cell: str | None = None) -> object:
        """Run one command; ``%modelarts help`` lists them."""
        from modelarts_magics.commands import dispatch, parser  # noqa: PLC0415 - keeps %load_ext fast
        from modelarts_magics.commands.context import CommandContext  # noqa: PLC0415
        from modelarts_magics.commands.grammar import MAGIC_PREFIX  # noqa: PLC0415
        from modelarts_magics.kernel.display import show_outputs, show_result  # noqa: PLC0415

        self._configure_messages()
        request = parser.parse_line(line, cell=cell, expand=self._replace_variables)
        if request.command.name == "keep" and cell is not None:
            self._run_kept(line, cell)
            return None
        silent = line.rstrip().endswith(";") and not request.command.free_text
        self._shows_result_only = silent or request.has_option("--json")
        context = CommandContext(
            self.session,
            self.settings,
            MAGIC_PREFIX,
            self.shell.user_ns,
            use_interactive_credential=self._use_interactive_credential,
            get_interactive_credential=lambda: self._interactive_credential,
            show_outputs=show_outputs,
            widget_factories={"countdown": _make_countdown, "form": _make_form},
            get_cell_marks=self._get_cell_marks,
        )
        try:
            value = dispatch.run_command(request, context)
        except KeyboardInterrupt:
            raise CommandInterrupt(parser.interrupt_message_code(request)) from None
        static_text = self._static_line(value) if request.command.kernel_only else None
        return show_result(value, silent=silent, static_text=static_text)

    def _static_line(self, widget: object) -> object:
        """Return a line to show beside a widget, which a reopened notebook may not show; None in a terminal."""
        instance = getattr(widget, "instance", None)
        # In a terminal, the representation of the widget itself is this line.
        if instance is None or not hasattr(self.shell, "kernel"):
            return None
        from modelarts_magics.domain.countdown import stop_message  # noqa: PLC0415 - keeps %load_ext fast
        from modelarts_magics.kernel.widget_display import StaticLine  # noqa: PLC0415

        return StaticLine(stop_message(instance))

    def _run_kept(self, line: str, cell: str) -> None:
        """Run code under a guard, for a caller of `run_cell_magic`; see `keep_cell` for cells."""
        result = self.shell.run_cell(f"%%modelarts {line}\n{cell}")
        result.raise_error()

    def _configure_messages(self) -> None:
        from modelarts_magics.commands import dispatch  # noqa: PLC0415 - keeps %load_ext fast
        from modelarts_magics.commands.grammar import MAGIC_PREFIX  # noqa: PLC0415

        dispatch.configure_messages(self.settings(), MAGIC_PREFIX)

    def _replace_variables(self, line: str) -> str:
        """Replace ``{name}`` and ``$name`` as IPython does; leave the line if one of them fails."""
        from IPython.utils.text import DollarFormatter  # noqa: PLC0415 - keeps %load_ext fast

        try:
            return str(DollarFormatter().vformat(line, (), self.shell.user_ns))
        except Exception:  # noqa: BLE001 - an expression of the user may raise anything
            return line

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
        from modelarts_magics.keepalive.resume import resume  # noqa: PLC0415 - keeps %load_ext fast

        settings = self.settings()
        if self._session is None or settings != self._session_settings:
            self.close()
            self._session, self._session_settings = self._open_session(settings), settings
            self._session.on_notice = self._show_notice
            resume(self._session, os.environ)
        return self._session

    def _show_notice(self, notice: Message) -> None:
        from modelarts_magics.session.session import LATER_STARTS_NOTICE  # noqa: PLC0415 - keeps %load_ext fast

        if not (self._shows_result_only and notice.code == LATER_STARTS_NOTICE):
            print(notice)  # noqa: T201 - the output of the cell

    def _open_session(self, settings: Settings) -> Session:
        from modelarts_magics.session.connect import open_session  # noqa: PLC0415 - keeps %load_ext fast

        return open_session(settings, interactive=self._interactive_credential, actor="notebook")

    def _get_cell_marks(self) -> CellMarks:
        from modelarts_magics.kernel.cell_marks import CellMarks  # noqa: PLC0415 - keeps %load_ext fast

        if self._cell_marks is None:
            # In its thread, a session that is open is used as it is, whatever the settings are.
            self._cell_marks = CellMarks(lambda: self._session or self.session())
        return self._cell_marks

    def _use_interactive_credential(self, found: FoundCredential | None) -> None:
        """Use the credential entered by ``login`` until the kernel shuts down; None for no longer."""
        self._interactive_credential = found
        self.close()

    def before_cell(self, _info: object = None) -> None:
        """Prepare for a cell; IPython's hook, also called for a cell that runs within another."""
        self._has_hidden_output = False
        self.keep_cells.before_cell(_info)

    def after_cell(self, result: object = None) -> None:
        """Print a reminder if the setting ``remind`` is on and one is due; IPython's hook.

        A cell that hides its output, or that of a cell within it, leaves the reminder to the next cell.
        """
        self.keep_cells.after_cell(result)
        if not self.remind:
            return
        from modelarts_magics.kernel.reminder import Reminder, is_output_visible  # noqa: PLC0415 - as above

        self._has_hidden_output |= not is_output_visible(result)
        if self._has_hidden_output:
            return
        if self._reminder is None:
            self._reminder = Reminder()
        self._reminder.after_cell(self._session)

    def close(self) -> None:
        """Close the session. The next command opens another one."""
        if self._session is not None:
            self._session.close()
            self._session = None


def _make_countdown() -> object:
    try:
        from modelarts_magics.kernel.countdown_widget import Countdown  # noqa: PLC0415 - slow to import
        from modelarts_magics.kernel.widget_display import find_page_obstacle, obstacle_lines  # noqa: PLC0415
    except (ImportError, AttributeError) as error:
        return _as_text(_without_packages(error))
    obstacle = find_page_obstacle()
    return _as_text(*obstacle_lines(obstacle)) if obstacle else Countdown()


def _make_form() -> object:
    try:
        from modelarts_magics.kernel.form.form import InstanceForm  # noqa: PLC0415 - slow to import
        from modelarts_magics.kernel.widget_display import find_page_obstacle, obstacle_lines  # noqa: PLC0415
    except (ImportError, AttributeError) as error:
        return _as_text(_without_packages(error))
    from modelarts_magics.messages import text  # noqa: PLC0415 - keeps %load_ext fast

    obstacle = find_page_obstacle()
    if obstacle and not obstacle.shows_controls:
        return _as_text(*obstacle_lines(obstacle), text("form.commands"))
    return InstanceForm()


def _without_packages(error: Exception) -> str:
    """Return that the widget packages are missing or do not fit together."""
    from modelarts_magics.messages import text  # noqa: PLC0415 - keeps %load_ext fast

    return text("widgets.unavailable", reason=error)


def _as_text(*lines: str) -> object:
    """Return the instance as text, with the lines that say why."""
    from modelarts_magics.commands.as_text import instance_lines  # noqa: PLC0415 - keeps %load_ext fast
    from modelarts_magics.commands.results import TextResult  # noqa: PLC0415
    from modelarts_magics.kernel.current_session import current_session  # noqa: PLC0415

    return TextResult("\n".join([*instance_lines(current_session().refresh()), *lines]))


def magic_help() -> str:
    """Return the help for ``%modelarts?``."""
    from modelarts_magics.commands.grammar import MAGIC_PREFIX  # noqa: PLC0415 - keeps %load_ext fast
    from modelarts_magics.commands.help import help_overview, help_width  # noqa: PLC0415

    return str(help_overview(MAGIC_PREFIX, width=help_width(MAGIC_PREFIX)))


# IPython calls `getdoc` in preference to reading `__doc__`.
ModelArts.modelarts.getdoc = magic_help


def register(shell: InteractiveShell) -> None:
    """Load the magics and the completion into `shell`; a second call does nothing.

    If a step fails, the steps before it are undone.
    """
    if find_magics(shell) is not None:
        return
    with ExitStack() as undo:
        # A failed constructor leaves its object among the configurables.
        undo.callback(_remove_configurables, shell)
        magics = ModelArts(shell=shell, parent=shell)
        undo.callback(magics.close)
        undo.callback(_remove_magics, shell)
        shell.register_magics(magics)
        for event, callback in (
            ("pre_run_cell", magics.before_cell),
            ("post_run_cell", magics.after_cell),
        ):
            shell.events.register(event, callback)
            undo.callback(_discard, shell.events.callbacks[event], callback)
        undo.callback(magics.keep_cells.close)
        _report_input_wait(shell, undo)
        transforms = shell.input_transformer_manager.cleanup_transforms
        transforms.append(transform_cell)
        undo.callback(_discard, transforms, transform_cell)
        if shell.Completer is not None:
            undo.callback(register_completion(shell))
        _start_notifier(magics)
        # The registered objects themselves: after a reload of this module, its names mean others.
        magics.undo_registration = undo.pop_all()


def _report_input_wait(shell: InteractiveShell, undo: ExitStack) -> None:
    """Report the prompts of a kernel; a terminal has none."""
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        from modelarts_magics.kernel.input_wait import report_input_wait  # noqa: PLC0415 - as described

        undo.callback(report_input_wait(kernel))


def _start_notifier(magics: ModelArts) -> None:
    """Start the daemon if notifications are configured, without waiting for it."""
    if may_need_daemon(os.environ):
        from threading import Thread  # noqa: PLC0415 - seldom needed

        Thread(target=_start_notifier_in_thread, args=(magics,), daemon=True).start()


def _start_notifier_in_thread(magics: ModelArts) -> None:
    from modelarts_magics.errors import ModelArtsError  # noqa: PLC0415 - keeps %load_ext fast
    from modelarts_magics.keepalive.notifications.start import start_in_background  # noqa: PLC0415

    # The first command reports a wrong setting.
    with suppress(ModelArtsError, OSError):
        start_in_background(magics.settings(), None, os.environ)


def unregister(shell: InteractiveShell) -> None:
    """Undo `register`; do nothing if the magics are not loaded."""
    magics = find_magics(shell)
    if magics is not None:
        magics.undo_registration.close()


def find_magics(shell: InteractiveShell) -> ModelArts | None:
    """Return the magics loaded into `shell`, or None."""
    # By name: the class of the object may be that of before a reload of this module.
    found: ModelArts | None = shell.magics_manager.registry.get(ModelArts.__name__)
    return found


def _remove_magics(shell: InteractiveShell) -> None:
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("modelarts", None)
    shell.magics_manager.registry.pop(ModelArts.__name__, None)


def _remove_configurables(shell: InteractiveShell) -> None:
    shell.configurables[:] = [
        each for each in shell.configurables if type(each).__name__ != ModelArts.__name__
    ]


def _discard(found: list[Any], member: object) -> None:
    """Remove an object from a list that may not contain it any more."""
    with suppress(ValueError):
        found.remove(member)
