/** Doing a thing while no other tab of this browser does it. */

/** Waits for its turn, then does the work; answers what that answers. */
export type Exclusive = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** @param locks - the browser's; absent outside of a secure context, where nobody waits for anybody */
export function makeExclusive(locks: Pick<LockManager, 'request'> | undefined): Exclusive {
  return async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const state = { begun: false };
    const begin = (): Promise<T> => {
      state.begun = true;
      return work();
    };
    try {
      return locks === undefined
        ? await work()
        : ((await locks.request(`modelarts-magics:${name}`, begin)) as T);
    } catch (error) {
      if (state.begun || locks === undefined) {
        throw error;
      }
      return work(); // The locks are denied, not the work.
    }
  };
}
