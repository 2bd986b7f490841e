/** When to read again without being told to: ever later after failures, now and then where nobody tells of news. */

import { Alarm, type Timers } from '../countdown/clock';

/** After a failure: the first and the longest pause. */
const FIRST_RETRY_MS = 3_000;
const LONGEST_RETRY_MS = 300_000;
/** How often to look where nobody tells of news. */
const LOOK_MS = 30_000;

/** What a pace is made of. */
export interface PaceOptions {
  readonly timers: Timers;
  /** Whether somebody can see the page. */
  readonly visible: () => boolean;
  readonly read: () => void;
}

/** Sets off the next reading. */
export class Pace {
  readonly #options: PaceOptions;
  readonly #alarm: Alarm;
  #retryMs = FIRST_RETRY_MS;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.timers);
  }

  /** A reading has failed: try again, later than the last time. */
  failed(): void {
    this.#alarm.set(this.#retryMs, this.#options.read);
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
  }

  /** A reading has succeeded; `tells`: who answered says when there is something new. */
  succeeded(tells: boolean): void {
    this.#retryMs = FIRST_RETRY_MS;
    if (tells) {
      this.#alarm.clear();
    } else {
      this.#alarm.set(LOOK_MS, this.#look);
    }
  }

  /** Set off nothing more. */
  stop(): void {
    this.#alarm.clear();
  }

  /** Where nobody sees the page, becoming visible sets it off anew. */
  readonly #look = (): void => {
    if (this.#options.visible()) {
      this.#options.read();
    }
  };
}
