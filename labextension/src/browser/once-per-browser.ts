/** Does something once in all tabs of a browser. */

import { isSameStopTime } from '../tokens';
import type { BrowserLock } from './lock';

/** Does something once per key and stop time, across all tabs and reloads. */
export interface OncePerBrowser {
  /** Return `true` to one caller. */
  claim(key: string, stopsAtMs: number): Promise<boolean>;
  /** Forget that it was done, so that it is done again. */
  forget(key: string, stopsAtMs: number): void;
}

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

/** Create the functions. They remove markers of stop times more than a day ago. */
export function createOncePerBrowser(options: OncePerBrowserOptions): OncePerBrowser {
  const { storage, lock, setTimeout: schedule } = options;
  return {
    claim: (key, stopsAtMs) =>
      new Promise((resolve) => {
        void lock(`once:${key}`, async () => {
          const claimed = setMarker(storage, key, stopsAtMs);
          resolve(claimed);
          if (claimed) {
            await new Promise<void>((release) => void schedule(release, LOCK_HOLD_MS));
          }
        });
      }),
    forget: (key, stopsAtMs) => {
      try {
        for (const marker of markersOf(storage, key, stopsAtMs)) {
          storage.removeItem(marker);
        }
      } catch {
        // Without a storage there is no marker.
      }
    },
  };
}

type MarkerStorage = OncePerBrowserOptions['storage'];

/** Set the marker; returns whether it was not set before. */
function setMarker(storage: MarkerStorage, key: string, stopsAtMs: number): boolean {
  try {
    removeOldMarkers(storage, stopsAtMs - MARKER_LIFETIME_MS);
    const isTaken = markersOf(storage, key, stopsAtMs).length > 0;
    if (!isTaken) {
      storage.setItem(`${MARKER_PREFIX}${stopsAtMs}:${key}`, '1');
    }
    return !isTaken;
  } catch {
    // If the storage cannot be used, doing it twice is better than not at all.
    return true;
  }
}

function markersOf(storage: MarkerStorage, key: string, stopsAtMs: number): readonly string[] {
  return storedMarkers(storage).filter(
    (marker) => marker.endsWith(`:${key}`) && isSameStopTime(stopTimeOf(marker), stopsAtMs),
  );
}

function removeOldMarkers(storage: MarkerStorage, beforeMs: number): void {
  for (const marker of storedMarkers(storage)) {
    if (stopTimeOf(marker) < beforeMs) {
      storage.removeItem(marker);
    }
  }
}

/** Return the names of all markers, which contain a stop time and a key. */
function storedMarkers(storage: MarkerStorage): readonly string[] {
  const names = Array.from({ length: storage.length }, (_, at) => storage.key(at) ?? '');
  return names.filter((name) => name.startsWith(MARKER_PREFIX));
}

const stopTimeOf = (marker: string): number =>
  Number.parseInt(marker.slice(MARKER_PREFIX.length), 10);
