/**
 * The server's clock, timers, and repeated evaluation. Timers, local clock and page events are
 * parameters, so that a test can simulate a day in a millisecond.
 */

/** The local clock and timers. */
export interface Timers {
  /** Return the local time in milliseconds since 1970. */
  now(): number;
  /** Return the milliseconds of a clock that cannot be set. */
  monotonic(): number;
  /** Call back once after a delay; returns the id of the timer. */
  setTimeout(callback: () => void, delayMs: number): number;
  /** Cancel a timer. */
  clearTimeout(id: number): void;
}

/** The browser's own clock and timers. */
export const browserTimers: Timers = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, delayMs) => window.setTimeout(callback, delayMs),
  clearTimeout: (id) => {
    window.clearTimeout(id);
  },
};

/** A timer that can be set again, so that there is never a second one. */
export class RestartableTimer {
  readonly #timers: Timers;
  #id: number | null = null;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Whether the timer is set and has not fired yet. */
  get pending(): boolean {
    return this.#id !== null;
  }

  /** Fire after a delay, and no longer at the time set before. */
  set(delayMs: number, callback: () => void): void {
    this.clear();
    this.#id = this.#timers.setTimeout(() => {
      this.#id = null;
      callback();
    }, delayMs);
  }

  /** Cancel the timer. */
  clear(): void {
    this.#timers.clearTimeout(this.#id ?? 0);
    this.#id = null;
  }
}

/** A larger difference between the local and the monotonic clock means that one was set or slept. */
const CLOCK_JUMP_MS = 5_000;

/**
 * An estimate of the server's clock: the local clock plus an offset, measured when a message with
 * the server's time arrives. It is never measured with a saved state, whose time is out of date.
 */
export class ServerClock {
  readonly #timers: Timers;
  #offsetMs = 0;
  #driftMs: number;
  #syncedAtMs: number | null = null;

  constructor(timers: Timers) {
    this.#timers = timers;
    this.#driftMs = this.#measureDriftMs();
  }

  /** Whether the offset was measured, and the local clock was not set since. */
  get isSynced(): boolean {
    return this.#syncedAtMs !== null;
  }

  /** Milliseconds since the offset was measured; `Infinity` when there is no reliable one. */
  get ageMs(): number {
    return this.#syncedAtMs === null ? Infinity : this.#timers.monotonic() - this.#syncedAtMs;
  }

  /** Return the server's time in milliseconds since 1970. */
  now(): number {
    return this.#timers.now() + this.#offsetMs;
  }

  /** Measure the offset with the server's time from a message that has just arrived. */
  sync(serverNowMs: number): void {
    this.#offsetMs = Math.round(serverNowMs - this.#timers.now());
    this.#driftMs = this.#measureDriftMs();
    this.#syncedAtMs = this.#timers.monotonic();
  }

  /**
   * Return whether the local clock has jumped since the last call. After a jump the offset is still
   * used, because it is right if the machine slept, but it counts as not synchronized, because it is
   * wrong if the clock was set.
   */
  detectJump(): boolean {
    const drift = this.#measureDriftMs();
    if (Math.abs(drift - this.#driftMs) <= CLOCK_JUMP_MS) {
      return false;
    }
    this.#driftMs = drift;
    this.#syncedAtMs = null;
    return true;
  }

  #measureDriftMs(): number {
    return this.#timers.now() - this.#timers.monotonic();
  }
}

/** A page event after which timers may have been missed. */
export type Wakeup = readonly [target: EventTarget, type: string];

/** Return the events that follow after a page was hidden, frozen, offline or asleep. */
export function browserWakeups(): readonly Wakeup[] {
  return [
    [document, 'visibilitychange'],
    [window, 'pageshow'],
    [window, 'focus'],
    [window, 'online'],
  ];
}

/** Options of {@link Ticker}. */
export interface TickerOptions {
  /** Clock and timers. */
  readonly timers: Timers;
  /** Show the current time; returns the milliseconds until the next call, `null` for none. */
  readonly evaluate: () => number | null;
  /** Page events that cause an evaluation. */
  readonly wakeups: readonly Wakeup[];
  /** Called before the evaluation that a wake-up event causes. */
  readonly beforeWakeup?: () => void;
}

/**
 * Calls `evaluate` repeatedly, each time after the delay that it returned. It does not count ticks:
 * if a timer fires late, `evaluate` merely reads the clock later.
 */
export class Ticker {
  readonly #options: TickerOptions;
  readonly #timer: RestartableTimer;
  #disposed = false;

  constructor(options: TickerOptions) {
    this.#options = options;
    this.#timer = new RestartableTimer(options.timers);
    for (const [target, type] of options.wakeups) {
      target.addEventListener(type, this.#onWakeup);
    }
  }

  /** Evaluate now and schedule the next evaluation. */
  update(): void {
    if (this.#disposed) {
      return;
    }
    const delayMs = this.#options.evaluate();
    if (delayMs !== null) {
      this.#timer.set(delayMs, () => {
        this.update();
      });
    }
  }

  /** Stop. May be called more than once. */
  dispose(): void {
    this.#disposed = true;
    this.#timer.clear();
    for (const [target, type] of this.#options.wakeups) {
      target.removeEventListener(type, this.#onWakeup);
    }
  }

  readonly #onWakeup = (): void => {
    this.#options.beforeWakeup?.();
    this.update();
  };
}
