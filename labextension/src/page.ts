/** What the browser gives to everything here: clock, timers, events, and doing a thing once. */

import { browserTimers, browserWakeups, type Timers, type Wakeup } from './countdown/clock';
import { type Claim, makeClaim } from './once';

/** Whether somebody can see the page. */
export function visible(): boolean {
  return document.visibilityState === 'visible';
}

/** Clock and events of the page. */
export const page: { readonly timers: Timers; readonly wakeups: readonly Wakeup[] } = {
  timers: browserTimers,
  wakeups: browserWakeups(),
};

/** Once over all tabs of this browser; without the locks' secure context the types lie. */
export const claim: Claim = makeClaim({
  storage: window.localStorage,
  locks: (navigator as Partial<Navigator>).locks,
  setTimeout: (callback, delayMs) => window.setTimeout(callback, delayMs),
});
