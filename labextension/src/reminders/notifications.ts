/** Shows reminders and results as notifications of JupyterLab. */

import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import { runExtend, runMuteReminders } from '../commands/commands';
import { formatDuration, formatterFor, formatTime, stopAnnouncement } from '../countdown/format';
import { presumedStopText } from '../text/save-text';
import { COMMAND_IDS, type IManager } from '../tokens';
import type { Offer } from '../records/records';
import type { Reminder } from './reminders';

/** JupyterLab cuts off longer texts. */
export const MAX_TEXT_LENGTH = 140;

/** Show the result of an action. */
export function notify(text: string, succeeded: boolean): void {
  const short = text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH - 1)}…` : text;
  Notification.emit(short, succeeded ? 'success' : 'warning', {
    autoClose: succeeded ? 5_000 : 15_000,
  });
}

/** Options of {@link showReminder}. */
export interface NotificationOptions {
  /** Provides the state and carries out changes. */
  readonly manager: IManager;
  /** The translations. */
  readonly trans: TranslationBundle;
  /** The registry with the command that saves all documents. */
  readonly commands: CommandRegistry;
}

/** Show a reminder until it is dismissed; returns the function that dismisses it. */
export function showReminder(options: NotificationOptions, reminder: Reminder): () => void {
  const { manager, trans, commands } = options;
  const text = reminderText(options, reminder);
  const takenBack = showOnDesktop(text);
  const id = Notification.warning(text, {
    autoClose: false,
    actions: [
      {
        // The labels are short, so that all buttons fit on one line.
        label: `+${formatDuration(formatterFor(''), manager.preferences.extensionS)}`,
        displayType: 'accent',
        callback: () => void runExtend({ manager, trans, notify }),
      },
      ...(commands.hasCommand(COMMAND_IDS.saveAll)
        ? [
            {
              label: trans.__('Save All'),
              callback: () => void commands.execute(COMMAND_IDS.saveAll),
            },
          ]
        : []),
      {
        label: trans.__('Mute'),
        callback: () => void runMuteReminders({ manager, trans, notify }),
      },
    ],
  });
  return () => {
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

/** Offer to insert recorded output into a cell, until it is inserted or dismissed. */
export function showRecordOffer(trans: TranslationBundle, { record, insert }: Offer): void {
  const text = trans.__(
    'Not all output of “%1” is shown. It was recorded while it ran (lines: %2).',
    ...[record.name, record.lines],
  );
  const failed = trans.__('The recorded output cannot be read.');
  Notification.info(text, {
    autoClose: false,
    actions: [
      {
        label: trans.__('Insert the Recorded Output'),
        displayType: 'accent',
        callback: () =>
          void insert().catch(() => {
            notify(failed, false);
          }),
      },
    ],
  });
}

/** Show a notification while a stop is presumed, until the server responds again or it is dismissed. */
export function followPresumedStop(manager: IManager, trans: TranslationBundle): void {
  let shownText = '';
  let id = '';
  manager.changed.connect(() => {
    const text = presumedStopText(trans, manager, MAX_TEXT_LENGTH);
    if (text !== shownText) {
      shownText = text;
      Notification.dismiss(id);
      id = text && Notification.warning(text, { autoClose: false });
    }
  });
}

/** Show each new notice of the server once. */
export function followNotices(manager: IManager): void {
  const shown = new Set<string>();
  manager.changed.connect(() => {
    for (const text of manager.payload?.notices ?? []) {
      if (!shown.has(text)) {
        shown.add(text);
        notify(text, false);
      }
    }
  });
}

/** Return the text of a reminder. It is not updated, so the time left is shown with the current time. */
function reminderText({ manager, trans }: NotificationOptions, reminder: Reminder): string {
  const { stopsAtMs, remainingS } = reminder;
  const format = formatterFor('');
  const name = manager.payload?.instance?.name ?? '';
  const minutes = Math.max(60, Math.ceil(remainingS / 60) * 60);
  const nowMs = manager.clock.now();
  return name.length > 0 && name.length <= 40
    ? trans.__(
        '“%1” stops at %2 (%3 left as of %4).',
        ...[name, formatTime(format, stopsAtMs, nowMs)],
        ...[formatDuration(format, minutes), formatTime(format, nowMs, nowMs)],
      )
    : stopAnnouncement(format, stopsAtMs, minutes);
}
