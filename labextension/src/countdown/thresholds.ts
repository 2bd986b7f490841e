/** When the time left is worth an announcement. */

import { stopTimesDiffer } from './phase';

/** Seconds left at which a listener is told, once per stop time. */
export const ANNOUNCEMENT_THRESHOLDS_S: readonly number[] = [120, 600, 1800];

/** Notices when the time left falls to a threshold; looking for the first time tells nothing. */
export class AnnouncementThresholds {
  #stopsAtMs: number | null = null;
  #lowestRemainingS = 0;

  /** The threshold just crossed (the lowest, when several were slept through), or `null`. */
  findCrossed(stopsAtMs: number, remainingS: number): number | null {
    if (stopTimesDiffer(stopsAtMs, this.#stopsAtMs)) {
      this.#stopsAtMs = stopsAtMs;
      this.#lowestRemainingS = remainingS;
    }
    const level = ANNOUNCEMENT_THRESHOLDS_S.find(
      (s) => remainingS <= s && this.#lowestRemainingS > s,
    );
    this.#lowestRemainingS = Math.min(this.#lowestRemainingS, remainingS);
    return level ?? null;
  }
}
