/** Doing a thing once over all tabs of a browser. */

import type { Exclusive } from './lock';
import { isSameStop } from '../tokens';

/** Answers `true` to one caller for each key and stop time, over all tabs and reloads. */
export type Claim = (key: string, stopsAtMs: number) => Promise<boolean>;

/** What a claim is made with. */
export interface ClaimOptions {
  /** Shared by the tabs, and kept over a reload. */
  readonly storage: Pick<Storage, 'setItem' | 'removeItem' | 'key' | 'length'>;
  readonly exclusive: Exclusive;
  readonly setTimeout: (callback: () => void, delayMs: number) => unknown;
}

const PREFIX = 'modelarts-magics:once:';
/** A lock outlives the claim by this much, so that every tab's storage has heard of it. */
const HOLD_MS = 500;
const KEEP_MS = 86_400_000;

/** Make a claim; the marks of stop times long past are cleared away. */
export function makeClaim({ storage, exclusive, setTimeout: wait }: ClaimOptions): Claim {
  const take = (key: string, stopsAtMs: number): boolean => {
    try {
      tidy(storage, stopsAtMs - KEEP_MS);
      const taken = marks(storage).some(
        (mark) => mark.endsWith(`:${key}`) && isSameStop(stopOf(mark), stopsAtMs),
      );
      if (!taken) {
        storage.setItem(`${PREFIX}${stopsAtMs}:${key}`, '1');
      }
      return !taken;
    } catch {
      return true; // Full or forbidden: twice is better than never.
    }
  };
  return (key, stopsAtMs) =>
    new Promise((resolve) => {
      void exclusive(`once:${key}`, async () => {
        const got = take(key, stopsAtMs);
        resolve(got);
        if (got) {
          await new Promise<void>((release) => void wait(release, HOLD_MS));
        }
      });
    });
}

function tidy(storage: ClaimOptions['storage'], beforeMs: number): void {
  for (const mark of marks(storage)) {
    if (stopOf(mark) < beforeMs) {
      storage.removeItem(mark);
    }
  }
}

/** The names of what was claimed; a stop time and a key each. */
function marks(storage: ClaimOptions['storage']): readonly string[] {
  const names = Array.from({ length: storage.length }, (_, at) => storage.key(at) ?? '');
  return names.filter((name) => name.startsWith(PREFIX));
}

const stopOf = (mark: string): number => Number.parseInt(mark.slice(PREFIX.length), 10);
