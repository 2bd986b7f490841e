/** Doing a thing while no other tab of this browser does it. */

/** Waits for its turn, then does the work; answers what that answers. */
export type BrowserLock = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** @param locks - the browser's; absent outside of a secure context, where nobody waits for anybody */
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
      return work(); // The locks are denied, not the work.
    }
  };
}
