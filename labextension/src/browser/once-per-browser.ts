/** Doing a thing once over all tabs of a browser. */

import type { BrowserLock } from './lock';
import { isSameStopTime } from '../tokens';

/** Answers `true` to one caller for each key and stop time, over all tabs and reloads. */
export type OncePerBrowser = (key: string, stopsAtMs: number) => Promise<boolean>;

/** What a claim is made with. */
export interface OncePerBrowserOptions {
  /** Shared by the tabs, and kept over a reload. */
  readonly storage: Pick<Storage, 'setItem' | 'removeItem' | 'key' | 'length'>;
  readonly lock: BrowserLock;
  readonly setTimeout: (callback: () => void, delayMs: number) => unknown;
}

const MARKER_PREFIX = 'modelarts-magics:once:';
/** A lock outlives the claim by this much, so that every tab's storage has heard of it. */
const LOCK_HOLD_MS = 500;
const MARKER_LIFETIME_MS = 86_400_000;

/** Make a claim; the marks of stop times long past are cleared away. */
export function createOncePerBrowser({
  storage,
  lock,
  setTimeout: schedule,
}: OncePerBrowserOptions): OncePerBrowser {
  const claimKey = (key: string, stopsAtMs: number): boolean => {
    try {
      removeOldMarkers(storage, stopsAtMs - MARKER_LIFETIME_MS);
      const taken = storedMarkers(storage).some(
        (mark) => mark.endsWith(`:${key}`) && isSameStopTime(stopTimeOf(mark), stopsAtMs),
      );
      if (!taken) {
        storage.setItem(`${MARKER_PREFIX}${stopsAtMs}:${key}`, '1');
      }
      return !taken;
    } catch {
      return true; // Full or forbidden: twice is better than never.
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
  for (const mark of storedMarkers(storage)) {
    if (stopTimeOf(mark) < beforeMs) {
      storage.removeItem(mark);
    }
  }
}

/** The names of what was claimed; a stop time and a key each. */
function storedMarkers(storage: OncePerBrowserOptions['storage']): readonly string[] {
  const names = Array.from({ length: storage.length }, (_, at) => storage.key(at) ?? '');
  return names.filter((name) => name.startsWith(MARKER_PREFIX));
}

const stopTimeOf = (marker: string): number =>
  Number.parseInt(marker.slice(MARKER_PREFIX.length), 10);
