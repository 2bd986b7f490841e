/** Loads the reminders before they are needed, so that their code is not part of the page load. */

import type { Timers } from '../countdown/clock';
import { ManagerTicker } from '../manager/manager-ticker';
import { timeLeft } from '../text/status-text';
import type { IManager } from '../tokens';

/** The code is loaded this many milliseconds before the first reminder. */
const LOAD_AHEAD_MS = 300_000;
/** Milliseconds after which loading is tried again. */
const RETRY_MS = 10_000;

/** Options of {@link startReminders}. */
export interface LazyRemindersOptions {
  /** Provides the stop time and the settings. */
  readonly manager: IManager;
  /** Clock and timers. */
  readonly timers: Timers;
  /** Load the code and start the reminders. */
  readonly load: () => Promise<unknown>;
}

/** Start the reminders when the first one is near. */
export function startReminders(options: LazyRemindersOptions): void {
  const { manager, load } = options;
  let isLoading = false;
  const ticker = new ManagerTicker(options, () => {
    const run = timeLeft(manager);
    if (run === null || isLoading) {
      return null;
    }
    const firstMs = Math.max(0, ...manager.preferences.remindMinutes) * 60_000;
    const waitMs = run.remainingMs - firstMs - LOAD_AHEAD_MS;
    if (waitMs > 0) {
      return waitMs;
    }
    isLoading = true;
    load().then(
      () => {
        ticker.dispose();
      },
      () => {
        // The server may be reachable the next time.
        isLoading = false;
      },
    );
    return RETRY_MS;
  });
  ticker.update();
}
