/** Schedules the next read: with backoff after errors, regularly where no change events arrive. */

import { RestartableTimer, type Timers } from '../countdown/clock';

/** The interval of checks, which send no request. */
export const CHECK_INTERVAL_MS = 5_000;
/** The first delay after an error; it doubles with each further error. */
const MIN_RETRY_MS = 3_000;
/** The maximum delay after an error. */
const MAX_RETRY_MS = 300_000;
/** The interval of reads in a visible page without change events. */
const POLL_INTERVAL_MS = 30_000;
/** The interval of reads near the stop, also after errors and in a hidden page. */
const POLL_INTERVAL_NEAR_STOP_MS = 20_000;

/** The conditions on which the time of the next read depends. */
export interface RefreshConditions {
  /** Whether change events arrive, so that no read is needed. */
  readonly receivesEvents: boolean;
  /** Whether the stop time is near. */
  readonly isNearStop: boolean;
}

/** Options of {@link RefreshTimer}. */
export interface RefreshTimerOptions {
  /** Clock and timers. */
  readonly timers: Timers;
  /** Return whether the page is visible. */
  readonly isVisible: () => boolean;
  /** Return the current conditions; called at each check. */
  readonly check: () => RefreshConditions;
  /** Read the instance. */
  readonly refresh: () => void;
}

/** Calls `refresh` when the next read is due. */
export class RefreshTimer {
  readonly #options: RefreshTimerOptions;
  readonly #timer: RestartableTimer;
  #lastReadAtMs = 0;
  #failureCount = 0;

  constructor(options: RefreshTimerOptions) {
    this.#options = options;
    this.#timer = new RestartableTimer(options.timers);
  }

  /** Schedule the next read after an error, with an increasing delay. */
  scheduleRetry(): void {
    this.#failureCount++;
    this.#start();
  }

  /** Schedule the next read after a success. */
  scheduleNext(): void {
    this.#failureCount = 0;
    this.#start();
  }

  /** Cancel the scheduled read. */
  stop(): void {
    this.#timer.clear();
  }

  #start(): void {
    this.#lastReadAtMs = this.#options.timers.monotonic();
    this.#timer.set(Math.min(this.#retryDelayMs, CHECK_INTERVAL_MS), this.#onTimer);
  }

  get #retryDelayMs(): number {
    return this.#failureCount === 0
      ? Infinity
      : Math.min(MIN_RETRY_MS * 2 ** (this.#failureCount - 1), MAX_RETRY_MS);
  }

  readonly #onTimer = (): void => {
    const elapsedMs = this.#options.timers.monotonic() - this.#lastReadAtMs;
    const untilReadMs = this.#readDelayMs() - elapsedMs;
    if (untilReadMs <= 0) {
      // A read that takes long is not repeated, but the checks continue.
      this.#lastReadAtMs += elapsedMs;
      this.#options.refresh();
    }
    const delayMs = untilReadMs > 0 ? Math.min(untilReadMs, CHECK_INTERVAL_MS) : CHECK_INTERVAL_MS;
    this.#timer.set(delayMs, this.#onTimer);
  };

  /** Return the delay from the last read to the next one. */
  #readDelayMs(): number {
    const { receivesEvents, isNearStop } = this.#options.check();
    const longestMs = isNearStop ? POLL_INTERVAL_NEAR_STOP_MS : Infinity;
    if (this.#failureCount > 0) {
      return Math.min(this.#retryDelayMs, longestMs);
    }
    if (receivesEvents) {
      return Infinity;
    }
    return this.#options.isVisible() ? Math.min(POLL_INTERVAL_MS, longestMs) : longestMs;
  }
}
