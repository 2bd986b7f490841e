/** What the browser gives to everything here: clock, timers, events, and doing a thing once. */

import { browserTimers, browserWakeups, type Timers, type Wakeup } from '../countdown/clock';
import { type Exclusive, makeExclusive } from './lock';
import { type Claim, makeClaim } from './once-per-browser';
import type { Preferences } from '../tokens';

/** Whether somebody can see the page. */
export function visible(): boolean {
  return document.visibilityState === 'visible';
}

/** Ask everything in the page that words a time of day, notebooks' countdowns too, to do it so. */
export function showClock({ clock24 }: Preferences): void {
  document.documentElement.dataset['maClock'] = clock24 ? '' : '12';
}

/** Clock and events of the page. */
export const page: { readonly timers: Timers; readonly wakeups: readonly Wakeup[] } = {
  timers: browserTimers,
  wakeups: browserWakeups(),
};

/** One tab of this browser after the other; without a secure context there are no locks, whatever the types say. */
export const exclusive: Exclusive = makeExclusive((navigator as Partial<Navigator>).locks);

/** Once over all tabs of this browser. */
export const claim: Claim = makeClaim({
  storage: window.localStorage,
  exclusive,
  setTimeout: (callback, delayMs) => window.setTimeout(callback, delayMs),
});
