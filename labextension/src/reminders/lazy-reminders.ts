/** Loads the reminders before they are needed, so that their code is not part of the page load. */

import type { Timers } from '../countdown/clock';
import { loadAhead } from '../manager/load-ahead';
import { timeLeft } from '../text/status-text';
import type { IManager } from '../tokens';

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
  let loading: Promise<unknown> | null = null;
  const neededInMs = (): number | null => {
    const run = timeLeft(manager);
    const firstMs = Math.max(0, ...manager.preferences.remindMinutes) * 60_000;
    return run && run.remainingMs - firstMs;
  };
  const loadOnce = async (): Promise<void> => {
    loading ??= load();
    try {
      await loading;
      ticker.dispose();
    } catch (error) {
      loading = null;
      throw error;
    }
  };
  const ticker = loadAhead(options, neededInMs, loadOnce);
}
