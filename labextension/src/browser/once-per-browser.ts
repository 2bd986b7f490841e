/** Does something once in all tabs of a browser. */

import { isSameStopTime } from '../tokens';
import type { BrowserLock } from './lock';

/** Returns `true` to one caller per key and stop time, across all tabs and reloads. */
export type OncePerBrowser = (key: string, stopsAtMs: number) => Promise<boolean>;

/** Options of {@link createOncePerBrowser}. */
export interface OncePerBrowserOptions {
  /** The storage that the tabs share. */
  readonly storage: Pick<Storage, 'setItem' | 'removeItem' | 'key' | 'length'>;
  /** The lock that the tabs share. */
  readonly lock: BrowserLock;
  /** Call back once after a delay. */
  readonly setTimeout: (callback: () => void, delayMs: number) => unknown;
}

const MARKER_PREFIX = 'modelarts-magics:once:';
/** The lock is held for this long after writing, so that the marker reaches the other tabs. */
const LOCK_HOLD_MS = 500;
const MARKER_LIFETIME_MS = 86_400_000;

/** Create the function. It removes markers of stop times more than a day ago. */
export function createOncePerBrowser({
  storage,
  lock,
  setTimeout: schedule,
}: OncePerBrowserOptions): OncePerBrowser {
  const claimKey = (key: string, stopsAtMs: number): boolean => {
    try {
      removeOldMarkers(storage, stopsAtMs - MARKER_LIFETIME_MS);
      const taken = storedMarkers(storage).some(
        (marker) => marker.endsWith(`:${key}`) && isSameStopTime(stopTimeOf(marker), stopsAtMs),
      );
      if (!taken) {
        storage.setItem(`${MARKER_PREFIX}${stopsAtMs}:${key}`, '1');
      }
      return !taken;
    } catch {
      // If the storage cannot be used, doing it twice is better than not at all.
      return true;
    }
  };
  return (key, stopsAtMs) =>
    new Promise((resolve) => {
      void lock(`once:${key}`, async () => {
        const claimed = claimKey(key, stopsAtMs);
        resolve(claimed);
        if (claimed) {
          await new Promise<void>((release) => void schedule(release, LOCK_HOLD_MS));
        }
      });
    });
}

function removeOldMarkers(storage: OncePerBrowserOptions['storage'], beforeMs: number): void {
  for (const marker of storedMarkers(storage)) {
    if (stopTimeOf(marker) < beforeMs) {
      storage.removeItem(marker);
    }
  }
}

/** Return the names of all markers, which contain a stop time and a key. */
function storedMarkers(storage: OncePerBrowserOptions['storage']): readonly string[] {
  const names = Array.from({ length: storage.length }, (_, at) => storage.key(at) ?? '');
  return names.filter((name) => name.startsWith(MARKER_PREFIX));
}

const stopTimeOf = (marker: string): number =>
  Number.parseInt(marker.slice(MARKER_PREFIX.length), 10);
