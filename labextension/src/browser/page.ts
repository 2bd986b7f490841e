/** What the browser gives to everything here: clock, timers, events, and doing a thing once. */

import { browserTimers, browserWakeups, type Timers, type Wakeup } from '../countdown/clock';
import { type BrowserLock, createBrowserLock } from './lock';
import { type OncePerBrowser, createOncePerBrowser } from './once-per-browser';
import type { Preferences } from '../tokens';

/** Whether somebody can see the page. */
export function isPageVisible(): boolean {
  return document.visibilityState === 'visible';
}

/** Ask everything in the page that words a time of day, notebooks' countdowns too, to do it so. */
export function applyClockFormat({ use24HourClock }: Preferences): void {
  document.documentElement.dataset['maClock'] = use24HourClock ? '' : '12';
}

/** Clock and events of the page. */
export const pageEnvironment: { readonly timers: Timers; readonly wakeups: readonly Wakeup[] } = {
  timers: browserTimers,
  wakeups: browserWakeups(),
};

/** One tab of this browser after the other; without a secure context there are no locks, whatever the types say. */
export const browserLock: BrowserLock = createBrowserLock((navigator as Partial<Navigator>).locks);

/** Once over all tabs of this browser. */
export const oncePerBrowser: OncePerBrowser = createOncePerBrowser({
  storage: window.localStorage,
  lock: browserLock,
  setTimeout: (callback, delayMs) => window.setTimeout(callback, delayMs),
});
