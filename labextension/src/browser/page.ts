/** The instances that the plugins use: visibility, clock, timers, page events and locks. */

import { browserTimers, browserWakeups, type Timers, type Wakeup } from '../countdown/clock';
import type { Preferences } from '../tokens';
import { type BrowserLock, createBrowserLock } from './lock';
import { createOncePerBrowser, type OncePerBrowser } from './once-per-browser';

/** Return whether the page is visible. */
export function isPageVisible(): boolean {
  return document.visibilityState === 'visible';
}

/** Set the format of times of day for the whole page, including countdown widgets. */
export function applyClockFormat({ use24HourClock }: Preferences): void {
  document.documentElement.dataset['modelartsHourCycle'] = use24HourClock ? '' : 'h12';
}

/** Clock, timers and events of a page. */
export interface PageEnvironment {
  /** Clock and timers. */
  readonly timers: Timers;
  /** Events after which timers may have been missed. */
  readonly wakeups: readonly Wakeup[];
}

/** Clock, timers and events of this page. */
export const pageEnvironment: PageEnvironment = {
  timers: browserTimers,
  wakeups: browserWakeups(),
};

/** The lock of this browser. In an insecure context `navigator.locks` does not exist. */
export const browserLock: BrowserLock = createBrowserLock((navigator as Partial<Navigator>).locks);

/** Does something once in all tabs of this browser. */
export const oncePerBrowser: OncePerBrowser = createOncePerBrowser({
  storage: window.localStorage,
  lock: browserLock,
  setTimeout: (callback, delayMs) => window.setTimeout(callback, delayMs),
});
