/** The notification of a reminder. It is loaded with the code of the reminders. */

import { Notification } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import { runExtend, runMuteReminders } from '../commands/commands';
import { formatDuration, formatterFor, formatTime } from '../countdown/format';
import { joinSentences } from '../text/save-text';
import { COMMAND_IDS } from '../tokens';
import { MAX_TEXT_LENGTH, notify } from './notifications';
import type { Reminder } from './reminders';
import type { SaveStateOptions } from './save-state';

/** From this time left on, a reminder says whether everything is saved. */
const LAST_REMINDER_S = 120;

/** Options of {@link showReminder}. */
export interface NotificationOptions extends SaveStateOptions {
  /** The registry with the command that saves all documents. */
  readonly commands: CommandRegistry;
}

/** Show a reminder until it is dismissed; returns the function that dismisses it. */
export function showReminder(options: NotificationOptions, reminder: Reminder): () => void {
  const text = reminderTexts(options, reminder);
  const takenBack = showOnDesktop(fitSentences(text));
  const id = Notification.warning(fitSentences(text), {
    autoClose: false,
    actions: [...reminderActions(options)],
  });
  const stop = reminder.remainingS <= LAST_REMINDER_S ? followSaving(options, id, text) : null;
  return () => {
    stop?.();
    Notification.dismiss(id);
    void takenBack.then((takeBack) => {
      takeBack();
    });
  };
}

/** Show a text as a notification of the browser if the user has turned that on. */
async function showOnDesktop(text: string): Promise<() => void> {
  const { desktopNotifications } = await import('../browser/desktop-notifications');
  return desktopNotifications().show('ModelArts', text);
}

/** Let a reminder say whether everything is saved; returns the function that ends this. */
function followSaving(
  options: NotificationOptions,
  id: string,
  [stopText = '', ...others]: readonly string[],
): () => void {
  const show = (saved: string): void => {
    Notification.update({ id, message: fitSentences([stopText, saved, ...others]) });
  };
  const following = import('./save-state').then((loaded) => loaded.followSaveState(options, show));
  // Without the server, the reminder says nothing about it.
  following.catch(() => undefined);
  return () => {
    void following.then((stop) => {
      stop();
    });
  };
}

/** Return the buttons of a reminder. Their labels are short, so that all fit on one line. */
function reminderActions({
  manager,
  trans,
  commands,
}: NotificationOptions): readonly Notification.IAction[] {
  const saveAction = {
    label: trans.__('Save All'),
    callback: () => void commands.execute(COMMAND_IDS.saveAll),
  };
  return [
    {
      label: `+${formatDuration(formatterFor(''), manager.preferences.extensionS)}`,
      callback: () => void runExtend({ manager, trans, notify }),
    },
    ...(commands.hasCommand(COMMAND_IDS.saveAll) ? [saveAction] : []),
    {
      label: trans.__('Mute'),
      callback: () => void runMuteReminders({ manager, trans, notify }),
    },
  ];
}

/** Join sentences, without the last ones if JupyterLab would cut them off. */
function fitSentences(texts: readonly string[]): string {
  const text = joinSentences(...texts);
  return text.length > MAX_TEXT_LENGTH && texts.length > 1
    ? fitSentences(texts.slice(0, -1))
    : text;
}

/**
 * Return the sentences of a reminder, the most important one first. They are not updated, so the time
 * left is shown with the current time.
 */
function reminderTexts({ manager, trans }: NotificationOptions, reminder: Reminder): string[] {
  const { stopsAtMs, remainingS } = reminder;
  const format = formatterFor('');
  const name = manager.payload?.instance?.name ?? '';
  const minutes = Math.max(60, Math.ceil(remainingS / 60) * 60);
  const nowMs = manager.clock.now();
  return [
    trans.__(
      'Stops at %1 (%2 left as of %3).',
      ...[formatTime(format, stopsAtMs, nowMs), formatDuration(format, minutes)],
      formatTime(format, nowMs, nowMs),
    ),
    manager.payload?.capabilities?.persistsDuration
      ? trans.__('Extending also lengthens later runs.')
      : '',
    name && trans.__('Instance: %1.', name),
  ];
}
