/** Reminders and outcomes as notifications; Jupyter keeps them silent in do-not-disturb. */

import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import { extendAsUsual, remindNoMore } from '../commands/commands';
import { durationLabel, moment, stopsIn, wordsFor } from '../countdown/format';
import type { Reminder } from './reminders';
import { COMMANDS, type IManager } from '../tokens';

/** Longer ones are cut off by Jupyter. */
const LONGEST = 140;

/** Say what became of something. */
export function say(text: string, good: boolean): void {
  const short = text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
  Notification.emit(short, good ? 'success' : 'warning', { autoClose: good ? 5_000 : 15_000 });
}

/** What a toast needs. */
export interface ToastOptions {
  readonly manager: IManager;
  readonly trans: TranslationBundle;
  readonly commands: CommandRegistry;
}

/** Show a reminder until something is done about it; answers what takes it away. */
export function showReminder(options: ToastOptions, reminder: Reminder): () => void {
  const { manager, trans, commands } = options;
  const id = Notification.warning(reminderText(options, reminder), {
    autoClose: false,
    actions: [
      {
        label: trans.__('Extend %1', durationLabel(wordsFor(''), manager.preferences.extensionS)),
        displayType: 'accent',
        callback: () => void extendAsUsual({ manager, trans, say }),
      },
      ...(commands.hasCommand(COMMANDS.saveAll)
        ? [
            {
              label: trans.__('Save all'),
              callback: () => void commands.execute(COMMANDS.saveAll),
            },
          ]
        : []),
      {
        label: trans.__('Don’t remind again'),
        callback: () => void remindNoMore({ manager, trans, say }),
      },
    ],
  });
  return () => {
    Notification.dismiss(id);
  };
}

/** What stands still must stay true: the stop time first, the time left as of now. */
function reminderText({ manager, trans }: ToastOptions, reminder: Reminder): string {
  const { stopsAtMs, remainingS } = reminder;
  const words = wordsFor('');
  const name = manager.payload?.instance?.name ?? '';
  const minutes = Math.max(60, Math.ceil(remainingS / 60) * 60);
  const nowMs = manager.clock.now();
  return name.length > 0 && name.length <= 40
    ? trans.__(
        '“%1” stops at %2 (%3 left at %4).',
        ...[name, moment(words, stopsAtMs, nowMs)],
        ...[durationLabel(words, minutes), moment(words, nowMs, nowMs)],
      )
    : stopsIn(words, stopsAtMs, minutes);
}
