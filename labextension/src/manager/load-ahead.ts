/** Loads code before it is needed, so that it is not part of the page load. */

import { ManagerTicker, type ManagerTickerOptions } from './manager-ticker';

/** The code is loaded this many milliseconds before it is needed. */
const LOAD_AHEAD_MS = 300_000;
/** Milliseconds after which loading is tried again. */
const RETRY_MS = 10_000;

/**
 * Load code when it is nearly needed, and again after a failure.
 *
 * @param options - the manager and the timers
 * @param neededInMs - returns the milliseconds until the code is needed, `null` if it is not
 * @param load - loads the code; dispose of the result when that has succeeded
 */
export function loadAhead(
  options: ManagerTickerOptions,
  neededInMs: () => number | null,
  load: () => Promise<unknown>,
): ManagerTicker {
  const ticker = new ManagerTicker(options, () => {
    const neededMs = neededInMs();
    if (neededMs === null || neededMs > LOAD_AHEAD_MS) {
      return neededMs && neededMs - LOAD_AHEAD_MS;
    }
    // The server may be reachable the next time.
    load().catch(() => undefined);
    return RETRY_MS;
  });
  ticker.update();
  return ticker;
}
