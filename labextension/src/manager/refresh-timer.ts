/** Schedules the next read: with backoff after errors, regularly for backends without events. */

import { RestartableTimer, type Timers } from '../countdown/clock';

/** The first delay after an error; it doubles with each further error. */
const MIN_RETRY_MS = 3_000;
/** The maximum delay after an error. */
const MAX_RETRY_MS = 300_000;
/** The interval of reads from a backend without events. */
const POLL_INTERVAL_MS = 30_000;

/** Options of {@link RefreshTimer}. */
export interface RefreshTimerOptions {
  /** Clock and timers. */
  readonly timers: Timers;
  /** Return whether the page is visible. */
  readonly isVisible: () => boolean;
  /** Read the instance. */
  readonly refresh: () => void;
}

/** Calls `refresh` when the next read is due. */
export class RefreshTimer {
  readonly #options: RefreshTimerOptions;
  readonly #timer: RestartableTimer;
  #retryDelayMs = MIN_RETRY_MS;

  constructor(options: RefreshTimerOptions) {
    this.#options = options;
    this.#timer = new RestartableTimer(options.timers);
  }

  /** Schedule a read after an error, with an increasing delay. */
  scheduleRetry(): void {
    this.#timer.set(this.#retryDelayMs, this.#options.refresh);
    this.#retryDelayMs = Math.min(this.#retryDelayMs * 2, MAX_RETRY_MS);
  }

  /**
   * Schedule the next read after a success.
   *
   * @param pushesEvents - whether the backend sends change events, so that no read is needed
   */
  scheduleNext(pushesEvents: boolean): void {
    this.#retryDelayMs = MIN_RETRY_MS;
    if (pushesEvents) {
      this.#timer.clear();
    } else {
      this.#timer.set(POLL_INTERVAL_MS, this.#poll);
    }
  }

  /** Cancel the scheduled read. */
  stop(): void {
    this.#timer.clear();
  }

  /** Read if the page is visible. Otherwise the manager reads when it becomes visible. */
  readonly #poll = (): void => {
    if (this.#options.isVisible()) {
      this.#options.refresh();
    }
  };
}
