/**
 * A lock shared by all tabs of a browser.
 *
 * The folder `browser/` exports what the browser provides: clock, timers, page events, locks and
 * markers that its tabs share. It may import from `countdown/` and `tokens`.
 */

/** Runs work while no other tab holds the lock of this name; returns the result of the work. */
export type BrowserLock = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/**
 * Create a lock.
 *
 * @param locks - the browser's lock manager; without it, in an insecure context, work is not locked
 */
export function createBrowserLock(locks: Pick<LockManager, 'request'> | undefined): BrowserLock {
  return async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const state = { started: false };
    const startWork = (): Promise<T> => {
      state.started = true;
      return work();
    };
    try {
      return locks === undefined
        ? await work()
        : ((await locks.request(`modelarts-magics:${name}`, startWork)) as T);
    } catch (error) {
      if (state.started || locks === undefined) {
        throw error;
      }
      // The browser has denied the lock, so the work runs without it.
      return work();
    }
  };
}
