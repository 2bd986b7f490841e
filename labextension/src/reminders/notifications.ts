/** Reminders and outcomes as notifications; Jupyter keeps them silent in do-not-disturb. */

import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import { runExtend, runMuteReminders } from '../commands/commands';
import { formatDuration, formatTime, stopAnnouncement, formatterFor } from '../countdown/format';
import type { Reminder } from './reminders';
import { COMMAND_IDS, type IManager } from '../tokens';

/** Longer ones are cut off by Jupyter. */
const MAX_TEXT_LENGTH = 140;

/** Say what became of something. */
export function notify(text: string, succeeded: boolean): void {
  const short = text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH - 1)}…` : text;
  Notification.emit(short, succeeded ? 'success' : 'warning', {
    autoClose: succeeded ? 5_000 : 15_000,
  });
}

/** What a toast needs. */
export interface NotificationOptions {
  readonly manager: IManager;
  readonly trans: TranslationBundle;
  readonly commands: CommandRegistry;
}

/** Show a reminder until something is done about it; answers what takes it away. */
export function showReminder(options: NotificationOptions, reminder: Reminder): () => void {
  const { manager, trans, commands } = options;
  const id = Notification.warning(reminderText(options, reminder), {
    autoClose: false,
    actions: [
      {
        label: trans.__(
          'Extend %1',
          formatDuration(formatterFor(''), manager.preferences.extensionS),
        ),
        displayType: 'accent',
        callback: () => void runExtend({ manager, trans, notify }),
      },
      ...(commands.hasCommand(COMMAND_IDS.saveAll)
        ? [
            {
              label: trans.__('Save all'),
              callback: () => void commands.execute(COMMAND_IDS.saveAll),
            },
          ]
        : []),
      {
        label: trans.__('Don’t remind again'),
        callback: () => void runMuteReminders({ manager, trans, notify }),
      },
    ],
  });
  return () => {
    Notification.dismiss(id);
  };
}

/** What stands still must stay true: the stop time first, the time left as of now. */
function reminderText({ manager, trans }: NotificationOptions, reminder: Reminder): string {
  const { stopsAtMs, remainingS } = reminder;
  const format = formatterFor('');
  const name = manager.payload?.instance?.name ?? '';
  const minutes = Math.max(60, Math.ceil(remainingS / 60) * 60);
  const nowMs = manager.clock.now();
  return name.length > 0 && name.length <= 40
    ? trans.__(
        '“%1” stops at %2 (%3 left at %4).',
        ...[name, formatTime(format, stopsAtMs, nowMs)],
        ...[formatDuration(format, minutes), formatTime(format, nowMs, nowMs)],
      )
    : stopAnnouncement(format, stopsAtMs, minutes);
}
