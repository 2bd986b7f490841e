/** Notifications about the stop after work, and about problems that endanger guarded work. */

import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { formatterFor, formatTime } from '../countdown/format';
import { asNumber, asObject, asString } from '../countdown/messages';
import { lastRunText, wasStopped } from '../text/last-run-text';
import { keepOutcomeText } from '../text/outcomes';
import type { IManager, KeepChange } from '../tokens';
import { MAX_TEXT_LENGTH, notify } from './notifications';

/** The seconds by which the button postpones the stop. */
const POSTPONEMENT_S = 3600;

/** A notification that stays as long as there is a text for it. */
class LastingNotification {
  #id = '';
  #text = '';

  /** Show a text; an empty one dismisses the notification. */
  show(text: string, actions: readonly Notification.IAction[] = []): void {
    if (text === this.#text) {
      return;
    }
    const message = text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH - 1)}…` : text;
    if (!text) {
      Notification.dismiss(this.#id);
    } else if (this.#text) {
      Notification.update({ id: this.#id, message });
    } else {
      this.#id = Notification.warning(message, { autoClose: false, actions: [...actions] });
    }
    this.#text = text;
  }
}

/** Show the notifications while they apply. */
export function followKeepState(manager: IManager, trans: TranslationBundle): void {
  const planned = new LastingNotification();
  const problem = new LastingNotification();
  const ended = new LastingNotification();
  const change = async (request: KeepChange): Promise<void> => {
    const outcome = await manager.changeKeep(request);
    notify(keepOutcomeText(trans, outcome, manager), outcome.result.ok);
  };
  const actions = [
    {
      label: trans.__('Keep 1 h'),
      callback: () => void change({ action: 'postpone-stop', seconds: POSTPONEMENT_S }),
    },
    {
      label: trans.__('Do Not Stop'),
      callback: () => void change({ action: 'cancel-stop' }),
    },
  ];
  const stopText = (name: string, stopsAtMs: number): string => {
    const time = formatTime(formatterFor(''), stopsAtMs, manager.clock.now());
    return name
      ? trans.__('After “%1”, the instance stops at %2', name, time)
      : trans.__('Nothing is working, so the instance stops at %1', time);
  };
  const update = (): void => {
    const keep = asObject(manager.payload?.keep);
    const stop = asObject(keep.stop);
    const stopsAtMs = asNumber(stop.stops_at_ms);
    planned.show(stopsAtMs === null ? '' : stopText(asString(stop.name), stopsAtMs), actions);
    const lastRun = manager.payload?.lastRun;
    ended.show(lastRun && wasStopped(lastRun) ? lastRunText({ manager, trans }, lastRun) : '', [
      { label: trans.__('Dismiss'), callback: () => void manager.dismissLastRun() },
    ]);
    problem.show(asString(keep.problem_urgent === true ? keep.problem : keep.failed_stop));
  };
  manager.changed.connect(update);
  update();
}
