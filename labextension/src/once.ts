/** Doing a thing once over all tabs of a browser. */

import type { Exclusive } from './exclusive';

/** Answers `true` to one caller for each key, over all tabs and reloads. */
export type Claim = (key: string, stopsAtMs: number) => Promise<boolean>;

/** What a claim is made with. */
export interface ClaimOptions {
  /** Shared by the tabs, and kept over a reload. */
  readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>;
  readonly exclusive: Exclusive;
  readonly setTimeout: (callback: () => void, delayMs: number) => unknown;
}

const PREFIX = 'modelarts-magics:once:';
/** A lock outlives the claim by this much, so that every tab's storage has heard of it. */
const HOLD_MS = 500;
const KEEP_MS = 86_400_000;

/** Make a claim; the marks of stop times long past are cleared away. */
export function makeClaim({ storage, exclusive, setTimeout: wait }: ClaimOptions): Claim {
  const take = (name: string, stopsAtMs: number): boolean => {
    try {
      tidy(storage, stopsAtMs - KEEP_MS);
      const free = storage.getItem(name) === null;
      storage.setItem(name, '1');
      return free;
    } catch {
      return true; // Full or forbidden: twice is better than never.
    }
  };
  return (key, stopsAtMs) =>
    new Promise((resolve) => {
      const name = `${stopsAtMs}:${key}`;
      void exclusive(`once:${name}`, async () => {
        const got = take(PREFIX + name, stopsAtMs);
        resolve(got);
        if (got) {
          await new Promise<void>((release) => void wait(release, HOLD_MS));
        }
      });
    });
}

function tidy(storage: ClaimOptions['storage'], beforeMs: number): void {
  const names = Array.from({ length: storage.length }, (_, at) => storage.key(at) ?? '');
  for (const name of names.filter((each) => each.startsWith(PREFIX))) {
    if (Number.parseInt(name.slice(PREFIX.length), 10) < beforeMs) {
      storage.removeItem(name);
    }
  }
}
