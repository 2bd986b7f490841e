/** Shows results and notices as notifications of JupyterLab. */

import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { NotificationAction, SetActions } from '../commands/options';
import { presumedStopText } from '../text/save-text';
import type { IManager } from '../tokens';

/** JupyterLab cuts off longer texts. */
export const MAX_TEXT_LENGTH = 140;

/**
 * Show the result of an action. It stays in the notification center.
 *
 * @returns the function that replaces its buttons
 */
export function notify(
  text: string,
  succeeded: boolean,
  actions: readonly NotificationAction[] = [],
): SetActions {
  const short = text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH - 1)}…` : text;
  const autoClose = actions.length > 0 || !succeeded ? 15_000 : 5_000;
  const shownAtMs = performance.now();
  const id = Notification.emit(short, succeeded ? 'success' : 'warning', {
    ...{ autoClose, actions: [...actions] },
  });
  return (later) => {
    const isShown = performance.now() - shownAtMs < autoClose;
    // With 0, a notification that has closed does not pop up again.
    Notification.update({ id, actions: [...later], autoClose: isShown ? autoClose : 0 });
  };
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
