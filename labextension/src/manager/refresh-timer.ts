/** When to read again without being told to: ever later after failures, now and then where nobody tells of news. */

import { RestartableTimer, type Timers } from '../countdown/clock';

/** After a failure: the first and the longest pause. */
const MIN_RETRY_MS = 3_000;
const MAX_RETRY_MS = 300_000;
/** How often to look where nobody tells of news. */
const POLL_INTERVAL_MS = 30_000;

/** What a pace is made of. */
export interface RefreshTimerOptions {
  readonly timers: Timers;
  /** Whether somebody can see the page. */
  readonly isVisible: () => boolean;
  readonly refresh: () => void;
}

/** Sets off the next reading. */
export class RefreshTimer {
  readonly #options: RefreshTimerOptions;
  readonly #timer: RestartableTimer;
  #retryDelayMs = MIN_RETRY_MS;

  constructor(options: RefreshTimerOptions) {
    this.#options = options;
    this.#timer = new RestartableTimer(options.timers);
  }

  /** A reading has failed: try again, later than the last time. */
  scheduleRetry(): void {
    this.#timer.set(this.#retryDelayMs, this.#options.refresh);
    this.#retryDelayMs = Math.min(this.#retryDelayMs * 2, MAX_RETRY_MS);
  }

  /** A reading has succeeded; `tells`: who answered says when there is something new. */
  scheduleNext(pushesEvents: boolean): void {
    this.#retryDelayMs = MIN_RETRY_MS;
    if (pushesEvents) {
      this.#timer.clear();
    } else {
      this.#timer.set(POLL_INTERVAL_MS, this.#poll);
    }
  }

  /** Set off nothing more. */
  stop(): void {
    this.#timer.clear();
  }

  /** Where nobody sees the page, becoming visible sets it off anew. */
  readonly #poll = (): void => {
    if (this.#options.isVisible()) {
      this.#options.refresh();
    }
  };
}
