/** When the time left is worth an announcement. */

import { differ } from './phase';

/** Seconds left at which a listener is told, once per stop time. */
export const THRESHOLDS_S: readonly number[] = [120, 600, 1800];

/** Notices when the time left falls to a threshold; looking for the first time tells nothing. */
export class Thresholds {
  #stopsAtMs: number | null = null;
  #leastS = 0;

  /** The threshold just crossed (the lowest, when several were slept through), or `null`. */
  crossed(stopsAtMs: number, remainingS: number): number | null {
    if (differ(stopsAtMs, this.#stopsAtMs)) {
      this.#stopsAtMs = stopsAtMs;
      this.#leastS = remainingS;
    }
    const level = THRESHOLDS_S.find((s) => remainingS <= s && this.#leastS > s);
    this.#leastS = Math.min(this.#leastS, remainingS);
    return level ?? null;
  }
}
