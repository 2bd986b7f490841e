/** The sentence about the last run of the instance. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { formatDuration, formatterFor, formatTime } from '../countdown/format';
import type { IManager, LastRun } from '../tokens';

/** What the sentence needs. */
export interface LastRunTextOptions {
  /** Has the clock. */
  readonly manager: IManager;
  /** The translations. */
  readonly trans: TranslationBundle;
}

/** Return when and why the last run ended. */
export function lastRunText({ manager, trans }: LastRunTextOptions, run: LastRun): string {
  const { endedAtMs, durationS } = run;
  const format = formatterFor('');
  const time = endedAtMs === null ? '?' : formatTime(format, endedAtMs, manager.clock.now());
  const reasonText = reasonOf(trans, run);
  const duration = durationS === null ? '' : formatDuration(format, durationS);
  const details =
    reasonText && duration ? trans.__('%1, %2', reasonText, duration) : reasonText || duration;
  return details
    ? trans.__('Last run ended at %1 (%2).', time, details)
    : trans.__('Last run ended at %1.', time);
}

function reasonOf(trans: TranslationBundle, run: LastRun): string {
  return run.reason === 'auto-stop' ? trans.__('auto-stop') : wasStopped(run) ? run.reason : '';
}

/** Return whether the keep-alive has stopped the instance, so that the reason is a text of the server. */
export function wasStopped({ reason }: LastRun): boolean {
  return !['', 'unknown', 'auto-stop'].includes(reason);
}
